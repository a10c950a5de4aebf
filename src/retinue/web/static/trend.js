// Exploring the trend: loaded on demand, and nothing that is not also in the drawing and its table.
"use strict";

(() => {
  // What was said once is not said again when the page is reloaded.
  const address = new URL(location.href);
  if (address.searchParams.has("said")) {
    address.searchParams.delete("said");
    history.replaceState(null, "", address);
  }
  const place = document.querySelector("[data-explore]");
  if (!place) return;
  const drawing = document.querySelector(".trend-static");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Explore";
  button.setAttribute("aria-expanded", "false");
  place.append(button);

  const minus = (text) => text.replace("-", "\u2212");
  const number = (value) => (value == null ? "\u2013" : minus(value.toFixed(1)));
  const iso = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const load = () => {
    if (window.uPlot) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const style = document.createElement("link");
      style.rel = "stylesheet";
      style.href = place.dataset.style;
      document.head.append(style);
      const script = document.createElement("script");
      script.src = place.dataset.script;
      script.onload = () => resolve();
      script.onerror = () => reject(new Error("not loaded"));
      document.head.append(script);
    });
  };

  let plot = null;
  let live = null;

  const draw = (told) => {
    const days = told.dates.map((day) => Date.parse(day) / 1000);
    live = document.createElement("div");
    live.className = "trend-live";
    live.tabIndex = 0;
    live.setAttribute("role", "group");
    live.setAttribute("aria-label", "Trend: left and right go from date to date, plus and minus zoom, 0 shows all");
    const said = document.createElement("p");
    said.setAttribute("role", "status");
    said.className = "quiet";
    said.textContent = "Left and right arrows go from date to date; + and \u2212 zoom, 0 shows all. Drag to zoom.";
    const line = (label, colour, extra) => ({ label, stroke: ink(colour), value: (_u, v) => number(v), spanGaps: false, ...extra });
    drawing.hidden = true;
    drawing.after(live, said);
    plot = new uPlot({
      width: live.clientWidth, height: 300,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: [0, 100] } },
      axes: [
        { stroke: ink("--soft"), grid: { stroke: ink("--rule"), width: 1 }, values: (_u, ticks) => ticks.map(iso), space: 90 },
        { stroke: ink("--soft"), grid: { stroke: ink("--rule"), width: 1 }, values: (_u, ticks) => ticks.map((v) => minus(String(v))) },
      ],
      series: [
        { label: "As of", value: (_u, v) => (v == null ? "\u2013" : iso(v)) },
        line("Score", "--ink", { width: 2 }),
        line("Published", "--c0", { width: 1, dash: [6, 3] }),
        line("Computed", "--c1", { width: 1, dash: [2, 2] }),
      ],
    }, [days, told.effective, told.published, told.computed], live);

    let at = days.length - 1;
    const go = (to) => {
      at = Math.min(Math.max(to, 0), days.length - 1);
      const { min, max } = plot.scales.x;
      if (days[at] < min || days[at] > max) {
        const half = (max - min) / 2;
        plot.setScale("x", { min: days[at] - half, max: days[at] + half });
      }
      plot.setCursor({ left: plot.valToPos(days[at], "x"), top: plot.valToPos(told.effective[at] ?? 0, "y") });
      said.textContent = `${told.dates[at]}: score ${number(told.effective[at])}${told.band[at] ? ", " + told.band[at].replace("_", " ") : ", not scored"}; computed ${number(told.computed[at])}`;
    };
    const zoom = (factor) => {
      const { min, max } = plot.scales.x;
      const middle = days[at] >= min && days[at] <= max ? days[at] : (min + max) / 2;
      const half = ((max - min) / 2) * factor;
      plot.setScale("x", { min: Math.max(days[0], middle - half), max: Math.min(days[days.length - 1], middle + half) });
    };
    live.addEventListener("keydown", (event) => {
      const keys = {
        ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), Home: () => go(0), End: () => go(days.length - 1),
        "+": () => zoom(0.5), "-": () => zoom(2), 0: () => plot.setScale("x", { min: days[0], max: days[days.length - 1] }),
      };
      if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        keys[event.key]();
      }
    });
    new ResizeObserver(() => plot && plot.setSize({ width: live.clientWidth, height: 300 })).observe(live);
    live.focus({ preventScroll: true });
    return said;
  };

  let words = null;
  button.addEventListener("click", async () => {
    if (plot) {
      plot.destroy();
      live.remove();
      words.remove();
      plot = live = words = null;
      drawing.hidden = false;
      button.textContent = "Explore";
      button.setAttribute("aria-expanded", "false");
      return;
    }
    button.disabled = true;
    try {
      const [answer] = await Promise.all([fetch(place.dataset.explore, { headers: { Accept: "application/json" } }), load()]);
      if (!answer.ok) throw new Error(String(answer.status));
      words = draw(await answer.json());
      button.textContent = "Back to the drawing";
      button.setAttribute("aria-expanded", "true");
    } catch {
      button.textContent = "It could not be loaded: try again";
    } finally {
      button.disabled = false;
    }
  });
})();
