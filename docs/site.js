// Names and keyboard focus that the theme leaves out. The theme wraps tables after the page has loaded.
"use strict";
function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const nav of document.querySelectorAll(".md-code__nav")) nav.setAttribute("aria-label", "Copy " + nav.closest("pre").id);
  for (const box of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) if (box.tabIndex) box.tabIndex = 0;
}
// The theme takes the focus away again from what does not scroll at the moment.
new MutationObserver(mend).observe(document.body, {childList: true, subtree: true, attributeFilter: ["tabindex"]});
mend();
