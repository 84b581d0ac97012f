"""Slots and who exchanges bytes, from the definitions: slow, obvious code that referees the kernels."""


def naive_most_slots(layer):
    """The largest number of slots of a class, at least 1."""
    return max([1, *(stop - first for first, stop in slots_of(layer))])


def slots_of(layer):
    """Where the slots of each attachment class begin and stop."""
    return list(zip(layer.slot_start[:-1].tolist(), layer.slot_start[1:].tolist(), strict=True))


def naive_split(layer, distance, weight):
    """Part of each class's bytes by slot: by weight, among its slots with the shortest way."""
    fraction = [0.0] * len(layer.slot_switch)
    for first, stop in slots_of(layer):
        ways = {slot: distance[layer.slot_switch[slot]] for slot in range(first, stop)}
        ways = {slot: hops for slot, hops in ways.items() if hops >= 0}
        best = [slot for slot, hops in ways.items() if hops == min(ways.values())]
        for slot in best:
            fraction[slot] = weight[slot] / sum(weight[other] for other in best)
    return fraction


def naive_exchange(domains, blocks, between_domains):
    """Whether two members exchange bytes in a layer; domains and blocks of the two, None for none."""
    (domain_a, domain_b), (block_a, block_b) = domains, blocks
    if block_a is not None and block_a == block_b:
        return False
    together = domain_a is not None and domain_a == domain_b
    return not together if between_domains else together


def naive_departing(layer, source, amount, fraction):
    """Bytes of an endpoint of class `source` by its slots: the switch behind each, and how much goes there."""
    first, stop = slots_of(layer)[source]
    return [(int(layer.slot_switch[slot]), amount * fraction[slot]) for slot in range(first, stop)]


def naive_pairs(members, source, takers, domain, block, between_domains):
    """Pairs of endpoints with bytes to exchange: from members of a class to those of other classes."""
    own = members.member_class.tolist()
    return {
        (int(members.endpoint[i]), int(members.endpoint[j]))
        for i in range(len(own))
        for j in range(len(own))
        if own[i] == source
        and own[j] in takers
        and i != j
        and members.send[i] * members.receive[j] > 0
        and naive_exchange(
            (domain[members.endpoint[i]], domain[members.endpoint[j]]),
            (block[members.endpoint[i]], block[members.endpoint[j]]),
            between_domains,
        )
    }
