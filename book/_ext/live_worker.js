/* Python for one page, in a worker: Pyodide, numpy, matplotlib and the book's package.

The page posts {do, n, ...} and hears {n, ...} or {n, error} for each; on the way
{say} tells how far things are. */

const SETUP = `
import json, os
os.environ.update(MPLBACKEND="agg", RNNBOOK_QUIET="1")
from matplotlib import pyplot
from rnnbook import plots, widgets

plots.show = lambda fig, alt: pyplot.close(fig)  # nobody would see it here
notebook = {"__name__": "__main__", "display": lambda *things: None}

def run(number, code):
    exec(compile(code, f"<cell {number}>", "exec"), notebook)

def draw(name, values):
    return json.dumps(widgets.in_browser[name].answer(json.loads(values)))
`;

let python; // the namespace of SETUP
let done = 0; // cells run so far

const say = (text) => postMessage({ say: text });

const tasks = {
  async start({ pyodide, wheel }) {
    say("Loading Python…");
    const { loadPyodide } = await import(`${pyodide}pyodide.mjs`).catch(() => {
      throw Error(`Python could not be loaded from ${pyodide}. Is this device online?`);
    });
    const runtime = await loadPyodide({ indexURL: pyodide, stdout() {}, stderr() {} });
    say("Loading numpy and matplotlib…");
    await runtime.loadPackage(["numpy", "matplotlib"], { messageCallback() {} });
    runtime.unpackArchive(Uint8Array.from(atob(wheel), (c) => c.charCodeAt(0)), "wheel");
    python = runtime.globals;
    runtime.runPython(SETUP);
  },

  run({ cells }) {
    for (; done < cells.length; done++) {
      say(`Running the page's code, cell ${done + 1} of ${cells.length}…`);
      const { code, mayFail } = cells[done];
      try {
        python.get("run")(done + 1, code);
      } catch (error) {
        if (!mayFail) throw error;
      }
    }
  },

  draw({ name, values }) {
    return JSON.parse(python.get("draw")(name, JSON.stringify(values)));
  },
};

let queue = Promise.resolve();
onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ n: data.n, ...(await tasks[data.do](data)) });
    } catch (error) {
      // Of a Python traceback the last line says what went wrong.
      postMessage({ n: data.n, error: error.message.trim().split("\n").pop() });
    }
  });
};
