//! Codes into values: volts, words, octets, and the level of a baseline.
