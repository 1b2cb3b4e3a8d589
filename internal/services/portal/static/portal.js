// What pages gain from scripts: the code of a sign-in link is filled in, and lists filter as their selections change. Everything works without.
const code = document.getElementById("code");
if (code && location.hash.length > 1) {
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
for (const select of document.querySelectorAll("form.filter[method=get] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
