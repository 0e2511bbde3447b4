"""Slips made by machine: every small change to a right answer that its author might make.

`single` yields each answer with one slip in it, `pairs` a sample with two. A slip is named
by the piece of code before and after it, so that a list can say which are right after all.
"""

import ast
import copy
import textwrap

NEARBY = {
    ast.Add: [ast.Sub, ast.Mult],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult, ast.FloorDiv],
    ast.FloorDiv: [ast.Div, ast.Mod],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.BitXor: [ast.BitOr, ast.BitAnd],
    ast.BitAnd: [ast.BitOr, ast.BitXor],
    ast.BitOr: [ast.BitAnd, ast.BitXor],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
}
TWINS = {
    "zeros_like": "ones_like", "ones_like": "zeros_like", "zeros": "ones", "ones": "zeros",
    "sum": "mean", "mean": "sum", "max": "min", "min": "max", "maximum": "minimum",
    "argmax": "argmin", "sin": "cos", "exp": "expm1", "log": "log1p", "tanh": "sinh",
    "any": "all", "all": "any", "ceil": "floor", "cumsum": "cumprod",
}  # fmt: skip


def edits(node, arguments):
    """Yield what could stand in the place of an expression or a statement."""
    if isinstance(node, ast.BinOp):
        for op in NEARBY.get(type(node.op), ()):
            yield ast.BinOp(node.left, op(), node.right)
        yield node.left
        yield node.right
        if not isinstance(node.op, (ast.Add, ast.Mult)):
            yield ast.BinOp(node.right, node.op, node.left)
        if isinstance(node.op, ast.MatMult):
            yield ast.BinOp(ast.Attribute(node.left, "T"), node.op, node.right)
            yield ast.BinOp(node.left, node.op, ast.Attribute(node.right, "T"))
        name = {ast.Add: "__iadd__", ast.Sub: "__isub__", ast.Mult: "__imul__"}.get(type(node.op))
        if name and isinstance(node.left, ast.Name) and node.left.id in arguments:
            yield ast.Call(ast.Attribute(node.left, name), [node.right], [])  # written into
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(NEARBY[type(node.op)][0](), node.values)
        yield from node.values
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for op in NEARBY[type(node.ops[0])]:
            yield ast.Compare(node.left, [op()], node.comparators)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, (int, float)):
            for value in (node.value + 1, node.value - 1, -node.value, 2 * node.value):
                if value != node.value:
                    yield ast.Constant(value)
        elif isinstance(node.value, str) and " " not in node.value and len(node.value) <= 12:
            for i in range(len(node.value) - 1):  # a word, not a sentence: two letters swapped
                letters = list(node.value)
                letters[i : i + 2] = letters[i + 1], letters[i]
                if letters[i] != letters[i + 1]:
                    yield ast.Constant("".join(letters))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Call):
        yield from calls(node)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        for i in range(len(node.elts) - 1):
            elements = list(node.elts)
            elements[i], elements[i + 1] = elements[i + 1], elements[i]
            yield ast.Tuple(elements, ast.Load())
    elif isinstance(node, ast.Subscript):
        yield from subscripts(node)
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper", "step"):
            if getattr(node, name) is not None:
                yield ast.Slice(**dict(ast.iter_fields(node)) | {name: None})
    elif isinstance(node, ast.AugAssign):
        target = copy.deepcopy(node.target)
        yield ast.Assign([target], node.value)
        for op in NEARBY.get(type(node.op), ())[:1]:
            yield ast.AugAssign(node.target, op(), node.value)
        yield ast.Pass()
    elif isinstance(node, ast.Assign):
        yield ast.Pass()
        target = node.targets[0]
        if isinstance(target, ast.Attribute):  # one memory for all objects of the class
            kind = ast.Call(ast.Name("type", ast.Load()), [target.value], [])
            yield ast.Assign([ast.Attribute(kind, target.attr, ast.Store())], node.value)
    elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(
        node, (ast.Break, ast.Continue)
    ):
        yield ast.Pass()
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def calls(node):
    """Yield what could stand in the place of a call."""
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    for i in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    if name in TWINS and isinstance(node.func, ast.Attribute):
        yield ast.Call(ast.Attribute(node.func.value, TWINS[name]), node.args, node.keywords)
    if name == "copy" and not node.args:
        yield node.func.value
    if name == "range":
        first, last = (ast.Constant(0), node.args[0]) if len(node.args) == 1 else node.args[:2]
        for lower, upper in ((1, 0), (0, 1), (0, -1)):
            yield ast.Call(
                node.func,
                [
                    ast.BinOp(first, ast.Add(), ast.Constant(lower)),
                    ast.BinOp(last, ast.Sub(), ast.Constant(upper)),
                    *node.args[2:],
                ],
                [],
            )
    if len(node.args) == 1 and name not in ("len", "range", "type"):
        yield node.args[0]  # without it; reversed, tanh, sum, zeros_like: memory that is shared
    if len(node.args) > 1:
        for i in range(len(node.args) - 1):
            swapped = list(node.args)
            swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
            yield ast.Call(node.func, swapped, node.keywords)
        for i in range(1, len(node.args)):
            yield ast.Call(node.func, node.args[:i] + node.args[i + 1 :], node.keywords)


def subscripts(node):
    """Yield an element beside the one that was meant."""
    index = node.slice
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    for i, part in enumerate(parts):
        if isinstance(part, (ast.Slice, ast.Starred)) or (
            isinstance(part, ast.Constant) and not isinstance(part.value, int)
        ):
            continue
        for by in (1, -1):
            moved = ast.BinOp(part, ast.Add(), ast.Constant(by))
            rest = [*parts[:i], moved, *parts[i + 1 :]]
            whole = ast.Tuple(rest, ast.Load()) if isinstance(index, ast.Tuple) else moved
            yield ast.Subscript(node.value, whole, node.ctx)


def places(tree):
    """Yield each node that may be edited, with its parent, field and index, and the arguments."""

    def walk(parent, arguments):
        if isinstance(parent, (ast.FunctionDef, ast.Lambda)):
            arguments = arguments | {a.arg for a in parent.args.args} - {"self"}
        for field, value in ast.iter_fields(parent):
            if field in ("args", "decorator_list", "keywords") and isinstance(value, ast.arguments):
                yield from walk(value, arguments)
                continue
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST):
                    yield parent, field, i if isinstance(value, list) else None, child, arguments
                    yield from walk(child, arguments)

    yield from walk(tree, set())


def units(statements, indent=""):
    """Yield each statement, those of a class one by one, as a part of a tree and as text.

    A part that is None holds no slips: the first line of a class.
    """
    for statement in statements:
        if isinstance(statement, ast.ClassDef) and not statement.decorator_list:
            head = copy.copy(statement)
            head.body = []
            yield None, textwrap.indent(ast.unparse(head), indent)
            yield from units(statement.body, f"{indent}    ")
        else:
            part = ast.Module([statement], [])
            yield part, textwrap.indent(ast.unparse(part), indent)


def single(source):
    """Yield ``(name, source)`` for each slip that can be made in a piece of code."""
    parts, texts = zip(*units(ast.parse(source).body), strict=True)
    seen = {"\n".join(texts)}
    for k, part in enumerate(parts):  # one at a time: to unparse is what takes long
        indent = texts[k][: len(texts[k]) - len(texts[k].lstrip())]
        for parent, field, i, node, arguments in [] if part is None else list(places(part)):
            old, before = ast.unparse(node), getattr(parent, field)
            for new in edits(node, arguments):
                ast.fix_missing_locations(new)
                after = new if i is None else [*before[:i], new, *before[i + 1 :]]
                setattr(parent, field, after)
                try:
                    slipped, name = ast.unparse(part), f"{old} -> {ast.unparse(new)}"
                    compile(slipped, "<mutant>", "exec")
                except (SyntaxError, ValueError, AttributeError):
                    continue
                finally:
                    setattr(parent, field, before)
                text = "\n".join([*texts[:k], textwrap.indent(slipped, indent), *texts[k + 1 :]])
                if text not in seen:
                    seen.add(text)
                    yield name, text


def pairs(source, rng, count):
    """Yield ``(name, source)`` for a sample of answers with two slips."""
    first, unchanged = list(single(source)), ast.dump(ast.parse(source))
    for _ in range(count):
        name, text = first[rng.integers(len(first))]
        second = list(single(text))
        other, text = second[rng.integers(len(second))]
        if ast.dump(ast.parse(text)) != unchanged:  # the second may undo the first
            yield f"{name}; {other}", text
