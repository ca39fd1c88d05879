// Names and keyboard focus that the theme leaves out. The theme wraps tables after the page has loaded.
"use strict";
function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const nav of document.querySelectorAll(".md-code__nav")) nav.setAttribute("aria-label", "Copy " + nav.closest("pre").id);
  for (const box of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) box.tabIndex = 0;
}
new MutationObserver(mend).observe(document.body, {childList: true, subtree: true});
mend();
