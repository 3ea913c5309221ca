// Forms that htmx sends without loading the page again: what is typed elsewhere on it stays.
// Without JavaScript, or without htmx, the same forms load the page anew.
import { swap } from "./parts.js";

const body = document.body;

function say(form, message) {
  let line = form.querySelector(".error");
  if (!line) {
    line = document.createElement("p");
    line.className = "error";
    line.setAttribute("role", "alert");
    form.append(line);
  }
  line.textContent = message;
}

// How many SMS a text takes and how much fits into the last of them (3GPP TS 23.038 and 23.040: 160 septets
// or 70 letters, 153 or 67 where there are several).
function parts(text, septets) {
  const letters = [...text];
  const foreign = [...new Set(letters.filter((letter) => !(letter in septets)))];
  const used = foreign.length ? text.length : letters.reduce((sum, letter) => sum + septets[letter], 0);
  const [single, several] = foreign.length ? [70, 67] : [160, 153];
  const number = used <= single ? 1 : Math.ceil(used / several);
  return { foreign, number, left: (number === 1 ? single : number * several) - used };
}

function count(field) {
  const counter = field.form?.querySelector("[data-left]");
  if (!counter || !(field.maxLength > 0)) return;
  const { foreign, number, left } = parts(field.value, JSON.parse(field.dataset.septets));
  counter.textContent = Math.min(left, field.maxLength - field.value.length);
  const several = field.form.querySelector("[data-sms-count]");
  several.hidden = number === 1;
  several.querySelector("span").textContent = number;
  const cause = field.form.querySelector("[data-foreign]");
  cause.hidden = !foreign.length;
  cause.querySelector("bdi").textContent = foreign.join(" ");
}

function done(form, page) {
  form.querySelector(".error")?.remove();
  for (const field of form.querySelectorAll("[data-clear]")) {
    field.value = "";
    count(field);
  }
  if (form.closest("[data-part]")) document.activeElement?.blur(); // its part is made anew
  swap(page);
  // A form that comes or goes with the state of the incident; one that stays keeps what is typed in it.
  for (const fresh of page.querySelectorAll("[data-maybe]")) {
    const old = document.getElementById(fresh.id);
    if (!old || Boolean(old.firstElementChild) === Boolean(fresh.firstElementChild)) continue;
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    window.htmx.process(made);
  }
}

addEventListener("htmx:afterRequest", (event) => {
  const { requestConfig, xhr, successful } = event.detail;
  const form = requestConfig.elt; // detail.elt is the page around it when the answer took the form away
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  if (successful) done(form, page);
  else if (xhr.status === 401) say(form, body.dataset.loggedOut);
  else if (xhr.status === 0) say(form, body.dataset.notSent);
  else say(form, page.querySelector("main .card p")?.textContent ?? `HTTP ${xhr.status}`);
});

addEventListener("input", (event) => count(event.target));
