"""The steps for Cisco devices, in their own commands, and the commands that remove one generation of ours."""

from collections.abc import Sequence

from controlroom.network.renderers.steps import ROLL_BACK_SECONDS

_MINUTES = ROLL_BACK_SECONDS // 60

_IOS = """\
! Steps for {stem}.cfg, in IOS commands. Copy the files to flash: first. Only names that begin with controlroom- are
! touched, and the interfaces on which you put them.
!
! once       the archive that the timed roll-back needs
configure terminal
 archive
  path flash:controlroom-archive
 end
! check      changes nothing; write down which lists lie on the interfaces now
show archive
show running-config | include ^interface|access-group|traffic-filter
show access-lists | include controlroom
! apply      saves what is there; all of it goes back after {minutes} minutes unless confirmed
archive config
configure terminal revert timer {minutes}
 end
copy flash:{stem}.cfg running-config
show ip access-lists {mark}-v4
show ipv6 access-list {mark}-v6
! then, on every interface that carries traffic between zones, both families at once:
configure terminal
 interface INTERFACE
  ip access-group {mark}-v4 out
  ipv6 traffic-filter {mark}-v6 out
 end
! confirm    from a second session, which proves that you are not locked out
configure confirm
copy running-config startup-config
! rollback   at any time before it is confirmed; afterwards: configure replace flash:controlroom-archive-N
configure revert now
! tidy up    what an earlier rendering left and no interface uses any more: its own file of removals
copy flash:EARLIER-remove.cfg running-config
"""

_ASA = """\
: Steps for {stem}.cfg, in ASA commands. Copy the files to disk0: first. Only names that begin with controlroom- are
: touched, and the global access group: a list that lies on one interface is asked before it.
:
: check      changes nothing; a global access group of others would be replaced, and a list on an interface counts too
show running-config access-group
show running-config object-group | include controlroom
: apply      saves what is there; the device goes back to it in {minutes} minutes by a reload unless confirmed
copy /noconfirm running-config disk0:/controlroom-before.cfg
write memory
reload in {minutes} noconfirm
copy /noconfirm disk0:/{stem}.cfg running-config
show access-list {mark} brief
: confirm    from a second session, which proves that you are not locked out
reload cancel
write memory
: rollback   the startup configuration is still the one from before; or without a reload, naming the list that was global
no access-group {mark} global
access-group EARLIER global
reload cancel
: tidy up    what an earlier rendering left and nothing uses any more: its own file of removals
copy /noconfirm disk0:/EARLIER-remove.cfg running-config
"""


def ios_steps(stem: str, mark: str) -> str:
    """Return the steps for an IOS device."""
    return _IOS.format(stem=stem, mark=mark, minutes=_MINUTES)


def asa_steps(stem: str, mark: str) -> str:
    """Return the steps for an ASA device."""
    return _ASA.format(stem=stem, mark=mark, minutes=_MINUTES)


def ios_removal(mark: str, groups: Sequence[str]) -> str:
    """Return what removes a generation of lists and the groups that only they use, given as their first lines."""
    head = "! Take the lists off every interface first: IOS lets everything pass where a list is gone."
    lists = [f"no ip access-list extended {mark}-v4", f"no ipv6 access-list {mark}-v6"]
    return "\n".join([head, *lists, *(f"no {one}" for one in groups), "end", ""])


def asa_removal(mark: str, groups: Sequence[str]) -> str:
    """Return what removes a generation of the list and the groups that only it uses, given as their first lines."""
    head = (
        ": Make another list global first: this one is removed together with the access group that uses it."
    )
    lists = [f"clear configure access-list {mark}"]
    return "\n".join([head, *lists, *(f"no {one}" for one in groups), ": end", ""])
