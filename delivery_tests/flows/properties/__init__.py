"""Random histories of one environment, played on virtual time, with the promises checked at every step.

history    what happens, as data: its `repr` is what a regression test replays
generate   random histories; dice: where their choices come from
hub        virtual time with several workers on it, switched at every sleep
faults     the wire: what breaks, stalls, kills
promises   what must hold after every action and every ledger write
stage      plays a history to its end
ending     what must be true when all has settled
skew       the world by a clock that is ahead or behind
minimise   the smallest history that breaks the same promise
soak       plays millions of them: `make soak`
"""
