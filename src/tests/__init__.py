"""The tests of ashore; they speak to servers on loopback only."""
