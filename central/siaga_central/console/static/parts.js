// The parts of a page that change by themselves, fetched again when what they show was touched.
const body = document.body;
const waiting = new Set(); // addresses to fetch, each once however often it was touched
let isRefreshing = false;
export async function refresh(from = body.dataset.parts ?? location.pathname) {
  waiting.add(from);
  if (isRefreshing) return;
  isRefreshing = true;
  try {
    for (const address of waiting) {
      waiting.delete(address);
      const answer = await fetch(address);
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } finally {
    isRefreshing = false;
  }
}

/** Put the parts of `fresh` in place of ours, but for one that plays, is being used, or is the same still. */
export function swap(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    const isInUse = [...(old?.querySelectorAll("video") ?? [])].some((video) => !video.paused || (video.currentTime > 0 && !video.ended));
    const isSame = part.dataset.version !== undefined && old?.dataset.version === part.dataset.version;
    if (!old || isSame || isInUse || old.contains(document.activeElement)) continue;
    const made = document.importNode(part, true);
    old.replaceWith(made);
    window.htmx?.process(made);
  }
}
