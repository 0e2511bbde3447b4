"""Code that never comes back by itself, each function in another way."""

import itertools
import time


def a_bare_loop():
    while True:
        pass


def a_loop_over_lines():
    n = 0
    while n is not None:
        n += 1


def a_growing_list():
    growing = [1]
    for _ in growing:
        growing.append(1)


def a_loop_in_a_bare_except():
    n = 0
    while True:
        try:
            n += 1
        except:
            pass


def a_loop_that_keeps_the_exception():
    last = None
    while True:
        try:
            last = len([last])
        except BaseException as error:
            last = error


def a_loop_whose_body_has_calls():
    while True:
        try:
            a_loop_over_lines()
        except:
            continue


def a_loop_in_finally():
    while True:
        try:
            a_bare_loop()
        finally:
            continue


def nested_handlers():
    while True:
        try:
            try:
                a_bare_loop()
            except:
                pass
            for _ in iter(int, 1):
                try:
                    sum(range(100))
                except:
                    pass
        except:
            pass


def a_generator_that_catches():
    def numbers():
        while True:
            try:
                yield 1
            except:
                pass

    for number in numbers():
        try:
            number += 1
        except:
            pass


def a_comprehension():
    return [n for n in iter(int, 1)]


def a_sum_over_a_generator():
    return sum(1 for _ in itertools.count())


def calls_without_a_loop():
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    return fibonacci(90)


def calls_that_catch():
    def fibonacci(n):
        try:
            return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
        except:
            return 0

    return fibonacci(90)


def a_loop_around_too_deep_calls():
    def deeper(n):
        return deeper(n + 1)

    while True:
        try:
            deeper(0)
        except RecursionError:
            pass


def a_loop_that_sleeps():
    while True:
        time.sleep(0.01)


def a_callable_that_c_calls():
    return list(iter(lambda: 0, 1))


def closing():
    """Leave a generator behind, again and again; each is closed where it stands."""
    while True:
        any(number == 1 for number in range(3))


def throwing():
    """Throw into a generator that swallows it, again and again."""

    def swallow():
        while True:
            try:
                yield
            except ValueError:
                pass

    swallowing = swallow()
    next(swallowing)
    while True:
        swallowing.throw(ValueError)


def jumping():
    """Come to jumps back that are not taken, and catch all that is raised there."""
    n = 1
    while True:
        try:
            while n % 7:
                n += 1
            n += 1
        except BaseException:
            n = 1


STUCK = [
    a_bare_loop,
    a_loop_over_lines,
    a_growing_list,
    a_loop_in_a_bare_except,
    a_loop_that_keeps_the_exception,
    a_loop_whose_body_has_calls,
    a_loop_in_finally,
    nested_handlers,
    a_generator_that_catches,
    a_comprehension,
    a_sum_over_a_generator,
    calls_without_a_loop,
    calls_that_catch,
    a_loop_around_too_deep_calls,
    a_loop_that_sleeps,
    a_callable_that_c_calls,
    closing,
    throwing,
    jumping,
]
