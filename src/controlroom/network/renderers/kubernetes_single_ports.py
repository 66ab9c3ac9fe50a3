"""Renders a Kubernetes NetworkPolicy with every port spelled out.

Some network plug-ins ignore ``endPort`` and would open the first port of a range alone (cilium 28684, azure-npm 2313).
"""

from controlroom.network.projection import Projection
from controlroom.network.renderers.interface import Rendering
from controlroom.network.renderers.kubernetes_policies import SCOPES, render_policy


class KubernetesSinglePortsRenderer:
    """For network plug-ins that do not know ``endPort``; the cluster's two ranges become 200 ports."""

    name = "kubernetes-single-ports"
    title = "Kubernetes NetworkPolicy with single ports, for plug-ins without endPort"
    scopes = SCOPES
    parser = "kubernetes"

    def render(self, projection: Projection) -> Rendering:
        """Return the policy and the script that checks, applies, confirms and rolls back."""
        return render_policy(projection, self.name, ranges=False)


RENDERER = KubernetesSinglePortsRenderer()
