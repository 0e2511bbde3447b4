/* The controls of an explorer, and the frames they call for.

Whoever draws is a function ask(values) -> {svg, alt}, or a promise of it:
  the grid      frames drawn when the book was built, carried by the page
  the kernel    in Jupyter, through the widget's model
  the browser   Python in a worker, for what the grid lacks, once the reader has
                pressed "Run live"
One script serves page and notebook. A page loads it as it is, since file:// allows no
module; a notebook loads it as a module that exports `rnnbookRender`. */

const rnnbookRender = (() => {
  "use strict";
  // Each widget of a notebook loads this script anew: let them not count alike.
  let ids = Math.trunc(1e9 * Math.random());

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // A scale turns a slider's positions into values and back.
  function gridScale(values) {
    const distance = (index, value) => Math.abs(values[index] - value);
    const nearest = (value) =>
      values.reduce((best, _, i) => (distance(i, value) < distance(best, value) ? i : best), 0);
    return { min: 0, max: values.length - 1, step: 1, value: (at) => values[at], position: nearest };
  }

  function rangeScale([low, high, step]) {
    if (step !== null) {
      const value = (at) => Number(Number(at).toPrecision(12));
      return { min: low, max: high, step, value, position: (value) => value };
    }
    const decades = Math.log(high / low); // no step: even in the logarithm
    const value = (at) => Number((low * Math.exp((decades * at) / 200)).toPrecision(3));
    return {
      min: 0, max: 200, step: 1,
      value: (at) => Math.min(high, Math.max(low, value(at))),
      position: (value) => (200 * Math.log(value / low)) / decades,
    };
  }

  const onGrid = (control, text) =>
    control.values.find((value) => (typeof value === "number" ? value === Number(text) : String(value) === text));

  class Explorer {
    constructor(root, spec) {
      this.root = root;
      this.spec = spec;
      this.values = { ...spec.start };
      this.figure = root.querySelector(".rnnbook-figure");
      this.rows = element("div", { class: "rnnbook-rows" });
      // Buttons to step with stand close to the figure that they move.
      const parts = [this.rows, this.makeButtons()];
      if (spec.play) parts.reverse();
      this.controls = element("div", { class: "rnnbook-controls", hidden: "" }, ...parts);
      this.status = element("p", { class: "rnnbook-status", role: "status" });
      this.heard = element("p", { class: "rnnbook-heard", "aria-live": "polite" });
      this.figure.after(this.controls, this.status, this.heard);
      // Parts of the drawing may set the controls too: a shorter way for who has a pointer.
      this.figure.addEventListener("click", ({ target }) => {
        const part = target.closest("[data-set]");
        if (part && this.ask) this.set(this.read(new URLSearchParams(part.dataset.set)).values);
      });
      new ResizeObserver(() => {
        // A figure wider than the screen scrolls in its box, also by keyboard.
        if (this.figure.scrollWidth > this.figure.clientWidth) this.figure.setAttribute("tabindex", 0);
        else this.figure.removeAttribute("tabindex");
      }).observe(this.figure);
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", spec.title);
      root.setAttribute("tabindex", "-1");
    }

    /* Begin to draw with `ask`. `any`: a control takes any value between its limits.
       `instant`: frames come at once, so that a slider may redraw while it is dragged. */
    connect(ask, { any = false, instant = false } = {}) {
      this.ask = ask;
      this.any = any;
      this.instant = instant;
      this.drawn = new Map(); // frames seen, so that going back costs nothing
      this.showers = this.spec.controls.map((control) => this.makeControl(control));
      this.rows.replaceChildren(...this.showers.map((shower) => shower.row));
      this.controls.hidden = false;
      this.showValues();
    }

    /* ---- controls: each has a row of the page, and shows a value on it ---- */

    makeControl(control) {
      const id = `rnnbook-control-${++ids}`;
      const row = element("div", { class: "rnnbook-control" });
      row.append(element("label", { for: id }, control.label));
      if (control.kind === "number") return { row, show: this.makeSlider(row, id, control) };
      if (control.kind === "switch") {
        const box = element("input", { id, type: "checkbox", "data-control": control.name });
        box.addEventListener("change", () => this.set({ [control.name]: box.checked }));
        row.append(box);
        return { row, show: () => (box.checked = this.values[control.name]) };
      }
      const options = control.values.map((value) => element("option", {}, value));
      const select = element("select", { id, "data-control": control.name }, ...options);
      select.addEventListener("change", () => this.set({ [control.name]: select.value }));
      row.append(select);
      return { row, show: () => (select.value = this.values[control.name]) };
    }

    makeSlider(row, id, control) {
      const free = this.any && control.limits;
      const scale = free ? rangeScale(control.limits) : gridScale(control.values);
      const { min, max, step } = scale;
      const slider = element("input", { id, type: "range", min, max, step, "data-control": control.name });
      for (const event of ["input", "change"])
        slider.addEventListener(event, () =>
          this.set({ [control.name]: scale.value(slider.value) }, event === "change"));
      // Where any value goes, it can also be typed.
      const [low, high] = control.limits ?? [];
      const number = free
        ? element("input", { type: "number", min: low, max: high, "aria-label": `${control.label}, typed`,
            step: control.integer ? 1 : "any", "data-control": control.name })
        : element("output", { for: id, "aria-live": "off" });
      if (free)
        number.addEventListener("change", () => {
          if (number.value !== "" && number.checkValidity()) this.set({ [control.name]: Number(number.value) });
          else number.reportValidity();
        });
      row.append(slider, number);
      return () => {
        const value = this.values[control.name];
        slider.value = scale.position(value);
        slider.setAttribute("aria-valuetext", value);
        number.value = value;
      };
    }

    makeButtons() {
      this.buttons = element("div", { class: "rnnbook-buttons" });
      const button = (text, press) => {
        const made = element("button", { type: "button" }, text);
        made.addEventListener("click", press);
        this.buttons.append(made);
        return made;
      };
      if (this.spec.play) {
        this.played = this.spec.controls.find(({ name }) => name === this.spec.play);
        this.back = button("◀ Back", () => this.step(-1));
        this.player = button("Play", () => (this.playing ? this.pause() : this.play()));
        // Nothing moves by itself for readers who asked for that.
        this.player.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
        this.forward = button("Forward ▶", () => this.step(1));
      }
      button("Reset", () => this.set(this.spec.start));
      return this.buttons;
    }

    showValues() {
      for (const shower of this.showers) shower.show();
      if (!this.spec.play) return;
      this.back.setAttribute("aria-disabled", this.next(-1) === undefined);
      this.forward.setAttribute("aria-disabled", this.next(1) === undefined);
    }

    /* ---- stepping ---- */

    next(by) {
      const { name, kind, values } = this.played;
      const at = kind === "number" ? gridScale(values).position(this.values[name]) : values.indexOf(this.values[name]);
      return values[at + by];
    }

    step(by) {
      const value = this.next(by);
      if (value !== undefined) this.set({ [this.spec.play]: value });
      return value !== undefined;
    }

    play() {
      this.player.textContent = "Pause";
      if (this.next(1) === undefined) this.set({ [this.spec.play]: this.played.values[0] });
      this.playing = setInterval(() => this.running || this.step(1) || this.pause(), 900);
    }

    pause() {
      clearInterval(this.playing);
      this.playing = null;
      this.player.textContent = "Play";
    }

    /* ---- values in, figure out ---- */

    /* Find the values that a query such as size=4&lag=2 names, and what it asks in vain. */
    read(query) {
      const values = {};
      const refused = [];
      for (const control of this.spec.controls) {
        const text = query.get(control.name);
        if (text === null) continue;
        const [low, high] = (this.any && control.limits) || [];
        const value = onGrid(control, text) ?? (Number(text) >= low && Number(text) <= high ? Number(text) : undefined);
        if (value === undefined) refused.push(`${control.name}=${text}`);
        else values[control.name] = value;
      }
      return { values, refused };
    }

    set(values, settled = true) {
      this.values = { ...this.values, ...values };
      this.showValues();
      if (!settled) {
        if (this.instant || this.drawn.has(JSON.stringify(this.values))) this.refresh();
        return;
      }
      clearTimeout(this.settling); // say and note the state once it has come to rest
      this.settling = setTimeout(async () => {
        await this.running;
        this.heard.textContent = this.figure.getAttribute("aria-label");
        this.onSettle?.();
      }, 400);
      return this.refresh();
    }

    /* One question at a time; of those that come up meanwhile, the last is asked next. */
    refresh() {
      this.wanted = this.values;
      return (this.running ??= this.draw().finally(() => (this.running = null)));
    }

    async draw() {
      while (this.wanted) {
        const values = this.wanted;
        this.wanted = null;
        const slow = setTimeout(() => this.say("Computing…", true), 150);
        let act;
        try {
          const key = JSON.stringify(values);
          const frame = this.drawn.get(key) ?? (await this.ask(values));
          this.drawn.set(key, frame);
          act = () => this.show(frame);
        } catch (error) {
          act = () => this.fail(error);
        }
        clearTimeout(slow);
        if (!this.wanted) act();
      }
    }

    show({ svg, alt }) {
      this.say("");
      this.figure.innerHTML = svg;
      this.figure.setAttribute("aria-label", alt);
      this.root.querySelector(".rnnbook-alt").textContent = alt;
    }

    say(text, busy = false) {
      this.status.textContent = text;
      this.status.removeAttribute("data-error");
      this.root.setAttribute("aria-busy", busy);
    }

    fail(error) {
      this.say(error.message);
      this.status.setAttribute("data-error", "");
    }
  }

  /* ---- a page: the grid, the address, and Python in a worker ---- */

  function gridOf({ controls, lines, frames, alts }) {
    return (values) => {
      if (!controls.every((control) => control.values.includes(values[control.name]))) return null;
      const at = controls.reduce((at, { name, values: all }) => at * all.length + all.indexOf(values[name]), 0);
      const svg = [];
      for (let i = 0; i < frames[at].length; i += 2)
        svg.push(...lines.slice(frames[at][i], frames[at][i] + frames[at][i + 1]));
      return { svg: svg.join("\n"), alt: alts[at] };
    };
  }

  async function followAddress(explorers) {
    const query = new URLSearchParams(location.hash.slice(1));
    const explorer = explorers.find(({ spec }) => spec.name === query.get("explorer"));
    if (!explorer) return;
    const { values, refused } = explorer.read(query);
    explorer.root.scrollIntoView();
    explorer.root.focus({ preventScroll: true });
    await explorer.set({ ...explorer.spec.start, ...values });
    if (refused.length) explorer.fail(Error(`The address asks for ${refused.join(", ")}, which is not among the results computed with this page.`));
  }

  class Live {
    constructor(element) {
      this.element = element; // of the page, with the address of Pyodide and the code cells
      this.waiting = new Map();
    }

    /* The worker and the package come in one script, since file:// allows no fetch. */
    async load(script) {
      if (globalThis.rnnbookLive) return;
      await new Promise((done, failed) => {
        const tag = element("script", { src: script });
        tag.onload = done;
        tag.onerror = () => failed(Error(`${script} could not be loaded.`));
        document.head.append(tag);
      });
    }

    async prepare(name, say) {
      this.say = say;
      const { pyodide, script, cells, upTo } = JSON.parse(this.element.textContent);
      await this.load(script);
      if (!this.worker) {
        // A data: address, for file:// allows no other worker that is a module.
        const source = encodeURIComponent(globalThis.rnnbookLive.worker);
        this.worker = new Worker(`data:text/javascript,${source}`, { type: "module" });
        this.worker.onmessage = ({ data }) => this.hear(data);
        this.worker.onerror = (event) => this.stop(event.message || "Python could not be started.");
        const { wheel } = globalThis.rnnbookLive;
        this.ready = this.post({ do: "start", pyodide, wheel });
      }
      await this.ready;
      await this.post({ do: "run", cells: cells.slice(0, upTo[name]) });
    }

    post(message) {
      return new Promise((done, failed) => {
        const n = ++ids;
        this.waiting.set(n, { done, failed });
        this.worker.postMessage({ ...message, n });
      });
    }

    hear({ n, say, error, ...answer }) {
      if (say) return this.say(say);
      const { done, failed } = this.waiting.get(n);
      this.waiting.delete(n);
      if (error) failed(Error(error));
      else done(answer);
    }

    stop(why) {
      this.worker?.terminate();
      this.worker = null;
      for (const { failed } of this.waiting.values()) failed(Error(why));
      this.waiting.clear();
      this.onStop(why);
    }
  }

  function addRunLive(explorer, live) {
    const { spec } = explorer;
    const grid = gridOf(spec);
    const offer = "Run live: any value (downloads about 30 MB)";
    const button = element("button", { type: "button" }, offer);
    (spec.play ? explorer.controls : explorer.buttons).append(button);
    button.addEventListener("click", async () => {
      if (explorer.live) return live.stop("Python was stopped.");
      explorer.live = true;
      button.textContent = "Stop Python";
      try {
        await live.prepare(spec.name, (text) => explorer.say(text, true));
        // What the page carries stays as it is: long training ends elsewhere on another processor.
        const compute = (values) => live.post({ do: "draw", name: spec.name, values });
        explorer.connect((values) => grid(values) ?? compute(values), { any: true });
        await explorer.refresh();
      } catch (error) {
        if (explorer.live) live.stop(error.message);
      }
    });
    explorer.endLive = async (why) => {
      explorer.live = false;
      button.textContent = offer;
      for (const { name, kind, values } of spec.controls)
        if (kind === "number") explorer.values[name] = values[gridScale(values).position(explorer.values[name])];
      explorer.connect(grid, { instant: true });
      await explorer.refresh();
      explorer.fail(Error(`${why} The figure shows the results computed with the page.`));
    };
  }

  function startPage() {
    const data = document.getElementById("rnnbook-live");
    const live = data && new Live(data);
    const explorers = [...document.querySelectorAll("[data-explorer]")].map((root) => {
      const spec = JSON.parse(root.querySelector("script").textContent);
      const explorer = new Explorer(root, spec);
      explorer.connect(gridOf(spec), { instant: true });
      explorer.onSettle = () => {
        const state = new URLSearchParams({ explorer: spec.name, ...explorer.values });
        history.replaceState(null, "", `#${state}`);
      };
      return explorer;
    });
    if (live) {
      // Where no control has limits, the page has all there is.
      for (const explorer of explorers)
        if (explorer.spec.controls.some((control) => control.limits)) addRunLive(explorer, live);
      live.onStop = (why) => explorers.forEach((explorer) => explorer.live && explorer.endLive(why));
    }
    followAddress(explorers);
    addEventListener("hashchange", () => followAddress(explorers));
    document.addEventListener("click", ({ target }) => {
      // The link to the state the address has already: nothing changes, yet it was asked for.
      if (target.closest?.("a[href^='#explorer=']")?.hash === location.hash) followAddress(explorers);
    });
  }

  /* ---- a notebook: the widget's view ---- */

  function render({ model, el }) {
    const spec = model.get("_spec");
    el.classList.add("rnnbook-explorer");
    el.innerHTML = spec.markup;
    // Or JupyterLab eats the arrow keys, its shortcuts first and then its notebook.
    el.setAttribute("data-lm-suppress-shortcuts", "");
    el.addEventListener("keydown", (event) => event.stopPropagation());
    const explorer = new Explorer(el, spec);
    const view = String(Math.random());
    const waiting = new Map();
    const ask = (values) =>
      new Promise((done, failed) => {
        const request = `${view} ${++ids}`;
        waiting.set(request, { done, failed });
        try {
          model.send({ request, values });
        } catch {
          failed(Error("The kernel that drew this figure is gone. Run its cell again."));
        }
      });
    const hear = () => {
      const frame = model.get("_frame");
      const { done, failed } = waiting.get(frame.request) ?? {};
      waiting.delete(frame.request);
      if (done) return frame.error ? failed(Error(frame.error)) : done(frame);
      if (frame.error) return explorer.fail(Error(frame.error));
      explorer.values = frame.values; // set in Python, or in another view
      explorer.showValues();
      explorer.show(frame);
    };
    const pong = (message) => {
      if (message.pong !== view) return;
      explorer.connect(ask, { any: true });
      hear();
    };
    model.on("msg:custom", pong);
    model.on("change:_frame", hear);
    model.send({ ping: view }); // controls appear when somebody answers
    return () => {
      model.off("msg:custom", pong);
      model.off("change:_frame", hear);
    };
  }

  if (document.currentScript) startPage();
  return render;
})();
