// What pages need of a script: a question before what cannot be undone, pictures, and a form that is handed in once.
(() => {
  "use strict";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const dressed = (option) => {
    const ink = colour("--ink"), soft = colour("--soft"), rule = colour("--rule");
    const axis = (one) => ({
      axisLabel: { color: soft }, axisLine: { lineStyle: { color: rule } }, splitLine: { lineStyle: { color: rule } }, nameTextStyle: { color: soft }, ...one,
    });
    const axes = (some) => (Array.isArray(some) ? some.map(axis) : some ? axis(some) : undefined);
    return {
      color: ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"].map(colour), textStyle: { color: ink, fontFamily: "inherit" }, animation: false,
      aria: { enabled: true }, grid: { left: 8, right: 16, top: 36, bottom: 8, containLabel: true },
      ...option, tooltip: { trigger: "axis", confine: true, renderMode: "richText", ...option.tooltip }, xAxis: axes(option.xAxis), yAxis: axes(option.yAxis),
      legend: option.legend ? { textStyle: { color: ink }, ...option.legend } : undefined,
    };
  };

  let loading = null;
  const library = () => {
    loading ??= new Promise((done) => {
      const script = document.createElement("script");
      script.src = document.querySelector("script[src*='console.js']").dataset.charts || "";
      script.onload = done;
      document.head.append(script);
    });
    return loading;
  };

  const draw = async (root) => {
    const places = [...root.querySelectorAll("[data-chart]")].filter((place) => !place.dataset.drawn);
    if (!places.length) return;
    await library();
    for (const place of places) {
      place.dataset.drawn = "yes";
      const chart = echarts.init(place, null, { renderer: "canvas" });
      chart.setOption(dressed(JSON.parse(place.dataset.chart)));
      new ResizeObserver(() => chart.resize()).observe(place);
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      for (const button of form.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
      window.addEventListener("pageshow", () => { for (const button of form.querySelectorAll("button")) button.disabled = false; }, { once: true });
    }
  });

  document.addEventListener("DOMContentLoaded", () => draw(document));
  document.addEventListener("htmx:afterSettle", (event) => draw(event.target));
})();
