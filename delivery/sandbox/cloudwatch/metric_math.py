"""Metric math evaluated. Pure.

Source: "Using math expressions with CloudWatch metrics" in the Amazon CloudWatch user guide.
"""

from __future__ import annotations

import operator

from delivery.sandbox.cloudwatch.expression import Array, Call, ExpressionError, Name, Node, Number, Text
from delivery.sandbox.cloudwatch.math_functions import FUNCTIONS
from delivery.sandbox.cloudwatch.series import OPERATORS, Scope, Value, binary, listed


def evaluate(node: Node, scope: Scope) -> Value:
    """The value of a tree."""
    match node:
        case Number(value):
            return value
        case Text(text):
            return text
        case Name(id):
            if id not in scope.series:
                raise ExpressionError(f"Unknown id '{id}'")
            return scope.series[id]
        case Array(items):
            return [s for item in items for s in listed(evaluate(item, scope))]
        case Call(function, arguments):
            values = [evaluate(item, scope) for item in arguments]
            return apply(function, values, scope)
    raise ExpressionError("Unknown expression")


def apply(function: str, values: list[Value], scope: Scope) -> Value:
    """A function or an operator of its evaluated arguments."""
    if function in OPERATORS:
        return binary(OPERATORS[function], values[0], values[1])
    if function == "neg":
        return binary(operator.mul, values[0], -1.0)
    known = FUNCTIONS.get(function)
    if known is None:
        raise ExpressionError(f"Unsupported function '{function}'")
    try:
        return known(scope, *values)
    except TypeError as error:
        if "positional argument" not in str(error):
            raise
        raise ExpressionError(f"Wrong number of arguments for function '{function}'") from error
