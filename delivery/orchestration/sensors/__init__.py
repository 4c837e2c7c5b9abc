"""Few sensors, each for all services: one for 500 services ticks in 0.1 s, 500 sensors take a minute."""

#: Seconds for a sensor that ticks whenever Dagster looks, which is every 5 s. Dagster passes over one whose
#: last tick is less than its interval ago: with an interval of 5 that is, by milliseconds, every other look.
EVERY_LOOK = 2
