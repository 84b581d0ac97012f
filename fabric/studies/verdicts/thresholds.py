"""From which size on a number is worth a sentence.  All are assumed: where they lie changes words, never numbers."""

# Times within this factor of a bound, or of one another, are called equal.
SAME = 1.01
# A change that was tried is named if the time before it is at least this many times the time after it.
GAIN = 1.05
# A link this many times above the mean of its like is uneven.
UNEVEN = 1.2
# A receiver (or sender) that is this many times as busy as the other side's mean is a crowd's.
CROWD = 1.5
# A switch whose links down have this many times the capacity of its links up is oversubscribed (not: rounded speeds).
OVERSUBSCRIBED = 1.01
# More queue pairs, as operators try them (NCCL_IB_QPS_PER_CONNECTION), and for at most so many pairs of ranks: every
# pair is walked.
QUEUE_PAIRS = 4
MOST_PAIRS = 1_000_000
# A flow is delayed if it takes this many times what it would take alone.
DELAYED = 1.05
# A prediction outside this factor of the measurement is off.
OFF = 1.1
# Where half of the best bandwidth is reached, latency and bandwidth count the same (Hockney's n 1/2).
HALF = 0.5
