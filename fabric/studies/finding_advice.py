"""What to do about each kind of finding of `fabric check`, the worst kinds first."""

REROUTE = "let the subnet manager route again"
READ_AGAIN = "read tables and cables at the same time, with no change in between"

# What to do about each kind of finding; those that cut GPUs off come first, then what may stop traffic, then what slows
# it down.
ADVICE: dict[str, str] = {
    "missing switch": "look for its power, its cables and whether the subnet manager sees it",
    "no cable": "plug the missing cables in",
    "disconnected": "put the missing cables between switches back",
    "loop": REROUTE,
    "dead port": f"mend the cables, or {REROUTE}",
    "no entry": REROUTE,
    "wrong end": READ_AGAIN,
    "no LID": REROUTE,
    "no table": "read the tables of all switches",
    "unknown switch": READ_AGAIN,
    "unowned LID": READ_AGAIN,
    "credit loop": "route up and down only, or give the routes virtual lanes that break the cycle",
    "dead entry": f"mend the cables, or {REROUTE}",
    "loop entry": REROUTE,
    "missing paths": REROUTE,
    "miswired cable": "move these cables to where the plan has them, or correct the plan",
    "missing cable": "plug these cables in, or correct the plan",
    "wrong speed": "reseat or replace these cables, or correct the plan",
    "wrong unit": "move the host's cables to the leaves of its neighbours, or give it a name of where it is",
    "wrong rail": "move these cables to the leaf of their rail",
    "wrong network": "exchange or move these cables, so that the ports are on the network of the other hosts'",
    "crossed plane": "exchange these cables, so that each stays in its plane",
    "stray cable": "move these cables to where those of their switches go",
    "uneven wiring": "put the missing cables back",
    "missing adapter": "look whether the host sees the adapter, and whether its cable is plugged in",
    "slow cable": "reseat or replace the slow cables, or look how their ports are set",
    "mixed speeds": "leave them if they are meant so, an older generation or storage's adapters; else look how their "
    "ports are set",
    "no spine": "read the switches too (lldpctl -f json of the leaves shows what is above them); for loads "
    "of hosts alone --assume-spine 1 puts a spine there",
    "one-sided cable": "reseat or replace these cables, and read the fabric again",
    "cable within a tier": "move these cables, if they are not meant",
    "ends disagree": "look at both ends; one device may have been read at another time",
    "one end": "look why the port at the other end does not answer",
    "port used twice": "look which of its cables is there",
    "several neighbours": "look for what stands between these devices",
    "two speeds": "look which speed the cable runs at",
    "cable between hosts": "move these cables, if they are not meant",
    "loopback cable": "unplug or move these cables",
    "extra cable": "unplug these cables, or add them to the plan",
    "host on a spine": "expect their traffic on the spine's own ports",
    "empty leaf": "cable its hosts, or leave it out of the count",
    "unassigned LID": "let the subnet manager finish, and read the fabric again",
    "renamed adapters": "leave the cables, which are right; name the devices as on the other hosts (udev, NCCL_IB_HCA)",
    "unnamed switch": "give switches their names (node descriptions, a node-name map)",
    "unnamed adapter": "give hosts their names (node descriptions), or say --host-pattern",
    "other lines": "look whether the dump is whole",
    "other files": "look whether a device's file is among them",
    "unbalanced": "compare routings for your job: another may spread it better",
    "unused": "compare routings for your job: another may use these links",
}
