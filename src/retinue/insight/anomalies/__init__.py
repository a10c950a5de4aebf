"""Anomalies of usage: accounts that did less, or more, than they and their peers let expect."""
