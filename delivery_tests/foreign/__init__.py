"""Strangers: clients that nobody here wrote use the sandbox as they use AWS and GitHub, unmodified.

Each module is one stranger's story. They get the sandbox's environment variables and nothing else. Whatever
they wait for, they wait for in their own way and at their own pace; so the slow ones wait side by side.
"""
