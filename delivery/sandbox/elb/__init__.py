"""Application Load Balancers as one proxy.

model      what the proxy is told, as plain data          reading    that, read from moto's state
matching, actions, render   HAProxy's configuration (pure)  proxy     its process
targets, health   targets, their states, health checks    usage      which groups are in use
balancer   the loop that keeps all of it together         hosts, requests   CloudWatch's metrics
checks, action_checks, settings   what the API refuses (pure)
"""
