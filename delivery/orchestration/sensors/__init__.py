"""Few sensors, each for all services: one for 500 services ticks in 0.1 s, 500 sensors take a minute."""
