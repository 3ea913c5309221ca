// The parts of a page that change by themselves, fetched again when what they show was touched.
const body = document.body;
let isRefreshing = false;
let isStale = false;
export async function refresh() {
  if (isRefreshing) { isStale = true; return; }
  isRefreshing = true;
  try {
    const answer = await fetch(body.dataset.parts ?? location.pathname);
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } finally {
    isRefreshing = false;
    if (isStale) { isStale = false; refresh(); }
  }
}

/** Put the parts of `fresh` in place of ours, but for one that plays, is being used, or is the same still. */
export function swap(fresh) {
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    const isInUse = [...(old?.querySelectorAll("video") ?? [])].some((video) => !video.paused || (video.currentTime > 0 && !video.ended));
    const isSame = part.dataset.version !== undefined && old?.dataset.version === part.dataset.version;
    if (old && !isSame && !isInUse && !old.contains(document.activeElement)) old.replaceWith(document.importNode(part, true));
  }
}
