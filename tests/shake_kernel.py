"""The startup file of a kernel with shaken random numbers; see shake.py."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import shake

shake.install(int(os.environ["RNNBOOK_SHAKE"]))
sys.path.pop(0)
del os, sys, shake
