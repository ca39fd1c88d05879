// How a message looks: in the local inbox, and in the gallery of the docs.
const NAMES = {slack: "Slack", teams: "Teams", pagerduty: "PagerDuty", webhook: "Webhook", sns: "SNS", email: "E-mail", google_chat: "Google Chat", discord: "Discord", jsm: "Jira Service Management"};
const nameOf = service => NAMES[service] || service;

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Slack's mrkdwn, escaped by Slack's rule: only &amp; &lt; and &gt; stand for characters.
const unescape = text => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const INLINE = /<!date\^(\d+)\^[^<>|]*(?:\|([^<>]*))?>|<([^<>|\s]+)(?:\|([^<>]*))?>|`([^`\n]+)`|\*([^*\n]+)\*|(?<![\w])_([^_\n]+)_(?![\w])|~([^~\n]+)~/g;

function link(address, text) {
  if (!/^(https?|mailto):/.test(address)) return el("code", "", text || address);
  const node = el("a", "", text || address);
  node.href = address;
  node.rel = "noreferrer noopener";
  node.target = "_blank";
  return node;
}

function inline(text, into) {
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    into.append(unescape(text.slice(last, found.index)));
    const [, seconds, fallback, address, label, mono, bold, italic, struck] = found;
    if (seconds !== undefined) { const time = el("time", "", new Date(seconds * 1000).toLocaleString()); time.title = unescape(fallback || ""); into.append(time); }
    else if (address !== undefined) into.append(link(unescape(address), label && unescape(label)));
    else if (mono !== undefined) into.append(el("code", "", unescape(mono)));
    else if (bold !== undefined) { const b = el("strong"); inline(bold, b); into.append(b); }
    else if (italic !== undefined) { const i = el("em"); inline(italic, i); into.append(i); }
    else into.append(el("s", "", unescape(struck)));
    last = found.index + found[0].length;
  }
  into.append(unescape(text.slice(last)));
}

function code(text) {
  const pre = el("pre");
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const kind = /^\s*\+/.test(line) ? "plus" : /^\s*[-−]/.test(line) ? "minus" : "";
    if (kind) pre.append(el("span", kind, line)); else pre.append(line + "\n");
  }
  return pre;
}

function mrkdwn(text) {
  const box = document.createDocumentFragment();
  text.split("```").forEach((part, index) => {
    if (index % 2) { box.append(code(unescape(part))); return; }
    for (const chunk of part.split(/\n{2,}/)) {
      if (!chunk.trim()) continue;
      const quoted = /^(&gt;|>) ?/.test(chunk);
      const target = el(quoted ? "blockquote" : "p");
      inline((quoted ? chunk.replace(/^(&gt;|>) ?/gm, "") : chunk).replace(/^\n+|\n+$/g, ""), target);
      box.append(target);
    }
  });
  return box;
}

function textObject(object) {
  if (object && object.type === "mrkdwn") return mrkdwn(object.text || "");
  return el("p", "", (object && object.text) || "");
}

function block(data) {
  const box = el("div", "block " + data.type);
  if (data.type === "header") box.append(el("h3", "", data.text.text));
  else if (data.type === "divider") box.append(el("hr"));
  else if (data.type === "section") {
    if (data.text) box.append(textObject(data.text));
    if (data.fields) { const grid = el("div", "fields"); data.fields.forEach(f => { const d = el("div"); d.append(textObject(f)); grid.append(d); }); box.append(grid); }
  } else if (data.type === "context") (data.elements || []).forEach(e => box.append(textObject(e)));
  else if (data.type === "actions") {
    box.className = "actions";
    (data.elements || []).forEach(e => { const a = link(e.url || "", e.text && e.text.text); a.className = "button"; box.append(a); });
  } else box.append(el("p", "context", "[" + data.type + "]"));
  return box;
}

function ruleLine(rule) {
  if (!rule) return "unknown";
  const ports = rule.from_port === null ? "" : rule.from_port === rule.to_port ? "/" + rule.from_port : "/" + rule.from_port + "-" + rule.to_port;
  const peer = rule.peer || {};
  return [rule.direction || "?", rule.protocol + ports, peer.value, rule.description ? "“" + rule.description + "”" : ""].filter(Boolean).join(" ");
}

function diff(changes) {
  const lines = [];
  (changes.removed || []).forEach(r => lines.push("- " + ruleLine(r)));
  (changes.added || []).forEach(r => lines.push("+ " + ruleLine(r)));
  (changes.modified || []).forEach(m => lines.push("- " + ruleLine(m.before), "+ " + ruleLine(m.after)));
  (changes.attempted || []).forEach(r => lines.push("? " + ruleLine(r)));
  return lines.join("\n");
}

function labeled(rows) {
  const list = el("dl");
  for (const [name, value] of rows) if (value) list.append(el("dt", "", name), el("dd", "", String(value)));
  return list;
}

function buttons(links) {
  const box = el("div", "actions");
  for (const [text, address] of links) { const a = link(address, text); a.className = "button"; box.append(a); }
  return box;
}

// https://adaptivecards.io/explorer/RichTextBlock.html
function adaptiveCard(card, into) {
  for (const element of card.body || []) {
    const line = el("p", "spacing-" + (element.spacing || "Default"));
    for (const run of element.inlines || [{text: element.text || ""}]) {
      const mono = run.fontType === "Monospace";
      const node = el(mono ? "code" : run.weight === "Bolder" ? "strong" : "span", run.size === "Large" ? "large " + run.color : "", run.text);
      line.append(node);
    }
    into.append(line);
  }
  into.append(buttons((card.actions || []).map(action => [action.title, action.url])));
}

// Discord's markdown: https://support.discord.com/hc/en-us/articles/210298617
const DISCORD = /\\([^a-zA-Z0-9\s])|\*\*((?:\\.|[^*\\])+)\*\*|\[((?:\\.|[^\]\\])+)\]\(<?([^)>\s]+)>?\)/g;

function discordInline(text, into) {
  let last = 0;
  for (const found of text.matchAll(DISCORD)) {
    into.append(text.slice(last, found.index));
    const [, escaped, bold, label, address] = found;
    if (escaped !== undefined) into.append(escaped);
    else if (bold !== undefined) { const b = el("strong"); discordInline(bold, b); into.append(b); }
    else into.append(link(address, label.replace(/\\(.)/g, "$1")));
    last = found.index + found[0].length;
  }
  into.append(text.slice(last));
}

function discordText(text) {
  const box = document.createDocumentFragment();
  text.split("```").forEach((part, index) => {
    if (index % 2) { box.append(code(part.replace(/^[a-z]+\n/, ""))); return; }
    if (!part.trim()) return;
    const line = el("p");
    discordInline(part.trim(), line);
    box.append(line);
  });
  return box;
}

function embed(data) {
  const box = el("div", "embed"), grid = el("div", "fields three"), title = el("h3");
  box.style.borderLeftColor = "#" + (data.color || 0).toString(16).padStart(6, "0");
  discordInline(data.title || "", title);
  box.append(title, discordText(data.description || ""));
  for (const field of data.fields || []) {
    const cell = el("div"), value = el("p");
    discordInline(field.value, value);
    cell.append(el("strong", "", field.name), value);
    grid.append(cell);
  }
  box.append(grid);
  if (data.timestamp) box.append(el("p", "context", utc(data.timestamp)));
  return box;
}

const utc = text => new Date(text).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");

// An alert's own JSON, wherever a service's envelope has it.
function alertIn(payload) {
  return [payload, payload && payload.data, payload && payload.unmapped, payload && payload.Detail].find(item => item && item.changes);
}

const DRAWN_BY = {
  slack(payload, into) {
    if (!payload.blocks && !payload.attachments) { into.append(mrkdwn(payload.text || "")); return; }
    const blocks = (payload.blocks || []).concat(...(payload.attachments || []).map(a => a.blocks || []));
    blocks.forEach(data => into.append(block(data)));
  },
  teams(payload, into) {
    for (const each of payload.attachments || []) adaptiveCard(each.content || {}, into);
  },
  google_chat(payload, into) {
    into.append(mrkdwn(payload.text || ""));
    for (const {card} of payload.cardsV2 || [])
      for (const section of card.sections || [])
        for (const widget of section.widgets || [])
          if (widget.buttonList) into.append(buttons(widget.buttonList.buttons.map(each => [each.text, each.onClick.openLink.url])));
  },
  discord(payload, into) {
    if (payload.content) into.append(discordText(payload.content));
    for (const each of payload.embeds || []) into.append(embed(each));
  },
  pagerduty(payload, into) {
    const event = payload.payload || {}, details = event.custom_details || {};
    into.append(el("h3", "", event.summary || payload.event_action));
    into.append(labeled([["Action", payload.event_action], ["Severity", event.severity], ["Source", event.source], ["Component", event.component], ["Class", event.class], ["Key", payload.dedup_key], ["Details", details.summary]]));
    if (details.changes) { const text = diff(details.changes); if (text) into.append(code(text)); }
    into.append(buttons((payload.links || []).map(each => [each.text, each.href])));
  },
  jsm(payload, into) {
    into.append(el("h3", "", payload.message || payload.note || "closed"));
    into.append(labeled([["Priority", payload.priority], ["Alias", payload.alias], ["Entity", payload.entity], ["Tags", (payload.tags || []).join(", ")], ...Object.entries(payload.details || {})]));
    if (payload.description) into.append(el("p", "", payload.description));
  },
  security_hub(payload, into) {
    const remediation = (payload.Remediation || {}).Recommendation || {};
    into.append(el("h3", "", payload.Title), el("p", "", payload.Description));
    into.append(labeled([["Severity", (payload.Severity || {}).Label], ["Workflow status", (payload.Workflow || {}).Status], ["Record state", payload.RecordState], ["Resource", (payload.Resources || []).map(each => each.Id).join(", ")], ["Types", (payload.Types || []).join(", ")], ["Created", utc(payload.CreatedAt)]]));
    if (remediation.Text) into.append(el("strong", "", "Remediation"), el("pre", "", remediation.Text));
  },
  email(payload, into) {
    const message = payload.Message;
    if (message && message.content && message.source === "custom") { chatbot(message.content, into); return; }
    if (payload.Subject) into.append(el("h3", "", payload.Subject));
    const text = el("pre", "mail", typeof message === "string" ? message : JSON.stringify(message, null, 2));
    text.tabIndex = 0; // it scrolls
    into.append(text);
  },
};
DRAWN_BY.sns = DRAWN_BY.email;

// Amazon Q in chat applications: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
function chatbot(content, into) {
  into.append(el("h3", "", content.title), mrkdwn(content.description || ""));
  if (content.nextSteps) {
    const steps = el("ul");
    for (const step of content.nextSteps) { const item = el("li"); inline(step, item); steps.append(item); }
    into.append(el("strong", "", "Next steps"), steps);
  }
  if (content.keywords) into.append(el("p", "context", content.keywords.join(" · ")));
}

function body(message, into) {
  const payload = message.payload, drawn = DRAWN_BY[message.service];
  if (drawn && message.accepted && payload && typeof payload === "object") { drawn(payload, into); return; }
  const alert = alertIn(payload);
  if (alert && !message.text) into.append(el("h3", "", alert.title), el("p", "", alert.summary || ""));
  if (message.text) { const box = el("div", "block"); message.text.length > 300 || message.text.includes("\n") ? box.append(code(message.text)) : box.append(el("p", "", message.text)); into.append(box); }
  if (alert) { const text = diff(alert.changes); if (text) into.append(code(text)); }
}
