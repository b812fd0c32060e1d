"""Inputs as people have them, by kind: each with what it is to become, or the error that it is to raise.

A case is (name, function that makes the input, what is expected). What is expected is an array, a list, or an error of one sentence: a pair of
its class and words that it holds."""
