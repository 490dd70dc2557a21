# [[Run this cell first: the checks below use it.|Exécutez d'abord cette cellule : les vérifications s'en servent.]]
import traceback
from contextlib import contextmanager

from IPython import get_ipython

RIGHT = set()


def claim(true, sentence):
    """[[Go on where it is true, else say the sentence.|Continue si c'est vrai, sinon dit la phrase.]]"""
    if not true:
        raise AssertionError(sentence)


@contextmanager
def checking(task):
    """[[Say what is wrong with an answer, if anything is.|Dit ce qui ne va pas dans une réponse, s'il y a lieu.]]"""
    RIGHT.discard(task)
    try:
        yield
    except Exception as error:
        print(f"✗ {task}[[:| :]] {told(error)}")
    else:
        RIGHT.add(task)
        print(f"✓ {task}[[: right| : juste]]")


def told(error):
    """[[What is not written yet, or what the error says.|Ce qui n'est pas encore écrit, ou ce que dit l'erreur.]]"""
    cause = error
    while cause is not None and not isinstance(cause, NotImplementedError):
        cause = cause.__cause__ or cause.__context__
    frames = traceback.walk_tb((cause or error).__traceback__)
    frame, line = [(frame, line) for frame, line in frames if frame.f_globals.get("RIGHT") is RIGHT][-1]
    place = frame.f_code.co_qualname
    if cause is not None:
        return f"[[{place} is not written yet|{place} n'est pas encore écrit]]"
    if isinstance(error, AssertionError) and str(error):
        return str(error).partition("\nReplay: ")[0]
    return f"[[{place}, line {line}:|{place}, ligne {line} :]] {type(error).__name__}: {error}"


def needs(tasks, cell):
    """[[%%needs: run a cell once these checks are right.|%%needs : exécute la cellule si ces réponses sont justes.]]"""
    missing = [task for task in tasks.split() if task not in RIGHT]
    if missing:
        print("[[… left out until these checks are right:|… laissé de côté tant que ceci n'est pas juste :]]", *missing)
    else:
        shell = get_ipython()
        exec(shell.compile(cell, shell.compile.cache(cell), "exec"), shell.user_ns)


if get_ipython():
    get_ipython().register_magic_function(needs, "cell")
