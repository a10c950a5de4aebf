// What tests ask of a page that is open: the last value is what they call.
({
  // Elements that are wider than the screen, outside of what scrolls by itself.
  wide() {
    const scrolls = (one) =>
      one && one !== document.body && one !== document.documentElement &&
      (["auto", "scroll", "hidden"].includes(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    const edge = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width > 0 && box.right > edge + 1 && !scrolls(one.parentElement);
    });
    return {
      over: document.documentElement.scrollWidth - edge,
      wide: wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120)),
    };
  },

  // What can be pressed and is smaller than a fingertip (24 px; what stands in a line of text may be).
  small() {
    const pressed = "main button, main select, main input:not([type=hidden]), .top a, .top summary, .tabs a";
    return [...document.querySelectorAll(pressed)].filter((one) => {
      if (!one.checkVisibility()) return false;
      const box = one.getBoundingClientRect();
      const least = one.type === "checkbox" || one.type === "radio" ? 16 : 24;
      return Math.min(box.width, box.height) < least;
    }).map((one) => one.outerHTML.slice(0, 120));
  },

  // Whether what has the focus can be seen, and whether anything lies on top of it.
  focus() {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const style = getComputedStyle(one);
    // A link over two lines has a box for each.
    const boxes = [...one.getClientRects()].filter((box) => box.width > 0);
    const seen = (box) =>
      box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const box = boxes.find(seen) ?? one.getBoundingClientRect();
    const within = (low, high, most) => Math.min(Math.max((low + Math.min(high, low + 20)) / 2, 1), most - 2);
    const over = document.elementFromPoint(within(box.left, box.right, innerWidth), within(box.top, box.bottom, innerHeight));
    return {
      html: one.outerHTML.slice(0, 120),
      // Of a date its parts have the focus, and each shows it.
      outline: one.type === "date" || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
      inside: boxes.some(seen),
      covered: !(over && (over === one || one.contains(over) || over.contains(one) || over.closest("label")?.contains(one))),
      over: over ? over.outerHTML.slice(0, 80) : "",
    };
  },

  // What is animated.
  moving() {
    const lasts = (told) => told.split(",").some((part) => parseFloat(part) > 0);
    return [...document.querySelectorAll("*")].filter((one) => {
      const style = getComputedStyle(one);
      return lasts(style.transitionDuration) || lasts(style.animationDuration);
    }).map((one) => one.outerHTML.slice(0, 80)).slice(0, 5);
  },

  // Marks of charts that have the colour of the paper, or none.
  faint() {
    const paper = getComputedStyle(document.body).backgroundColor;
    const gone = (colour) => ["none", paper, "rgba(0, 0, 0, 0)"].includes(colour);
    const marks = ["path", "circle", "polygon", "line", "rect"].map((tag) => `main svg ${tag}`).join();
    return [...document.querySelectorAll(marks)].filter((one) => one.checkVisibility()).filter((one) => {
      const style = getComputedStyle(one);
      return gone(style.fill) && (gone(style.stroke) || parseFloat(style.strokeWidth) === 0);
    }).map((one) => one.outerHTML.slice(0, 100)).slice(0, 3);
  },

  // Everything that is folded, unfolded: it is part of the page too.
  unfold() {
    for (const one of document.querySelectorAll("main details:not(.menu)")) {
      one.removeAttribute("name"); // of those with one name a single one is open
      one.open = true;
    }
  },

  // Violations that axe-core finds, of everything or of some rules only.
  async axe(only) {
    const all = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = await axe.run(document, { runOnly: only ?? all });
    return found.violations.map((one) => ({
      id: one.id, impact: one.impact, help: one.help,
      nodes: one.nodes.slice(0, 5).map((node) => `${node.html.slice(0, 160)} | ${node.any[0]?.message ?? ""}`),
    }));
  },
})
