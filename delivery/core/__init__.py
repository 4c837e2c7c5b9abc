"""The pure rules of progressive delivery: no clock, no network, no environment, standard library only."""
