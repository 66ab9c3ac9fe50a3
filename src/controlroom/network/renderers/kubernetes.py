"""Renders a Kubernetes NetworkPolicy with ranges of ports (``endPort``)."""

from controlroom.network.projection import Projection
from controlroom.network.renderers.interface import Rendering
from controlroom.network.renderers.kubernetes_policies import SCOPES, render_policy


class KubernetesRenderer:
    """For network plug-ins that know ``endPort``."""

    name = "kubernetes"
    title = "Kubernetes NetworkPolicy"
    scopes = SCOPES
    parser = "kubernetes"

    def render(self, projection: Projection) -> Rendering:
        """Return the policy and the script that checks, applies, confirms and rolls back."""
        return render_policy(projection, self.name, ranges=True)


RENDERER = KubernetesRenderer()
