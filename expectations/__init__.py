"""Expectation suites, and the code that runs them: which rows may enter the lake, which batch must stop."""
