/** Attributes that hold URLs (HTML 4.01 index of attributes; HTML 5), by element: those of apimachinery's `proxy.Transport`. */
const urlAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
};
/** Elements whose content is text up to their end tag (HTML §13.1.2). */
const rawText = new Set(["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"]);
const tag = /<!--[\s\S]*?(?:-->|$)|<([A-Za-z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/g;
const attribute = /([^\s"'>/=]+)(\s*=\s*)("([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/** A page whose URLs went through `rewrite`; everything else of it stays byte for byte. */
export function rewriteLinks(html: string, rewrite: (url: string) => string): string {
  let result = "";
  let at = 0;
  tag.lastIndex = 0;
  for (let match = tag.exec(html); match; match = tag.exec(html)) {
    const [whole, name, attributes = ""] = match;
    if (name === undefined) continue;
    const element = name.toLowerCase();
    const names = urlAttributes[element];
    if (names !== undefined) {
      result += html.slice(at, match.index + 1 + name.length) + rewriteAttributes(attributes, names, rewrite);
      at = match.index + 1 + name.length + attributes.length;
    }
    if (!rawText.has(element) || whole.endsWith("/>")) continue;
    const end = html.toLowerCase().indexOf(`</${element}`, tag.lastIndex);
    if (end < 0) break;
    tag.lastIndex = end;
  }
  return result + html.slice(at);
}

function rewriteAttributes(text: string, names: readonly string[], rewrite: (url: string) => string): string {
  return text.replaceAll(attribute, (whole, name: string, equals: string, _value, double?: string, single?: string, bare?: string) => {
    if (!names.includes(name.toLowerCase())) return whole;
    const url = unescaped(double ?? single ?? bare ?? "");
    const changed = rewrite(url);
    return changed === url ? whole : `${name}${equals}"${changed.replaceAll("&", "&amp;").replaceAll('"', "&#34;")}"`;
  });
}

const unescaped = (text: string): string =>
  text
    .replaceAll("&#34;", '"')
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
