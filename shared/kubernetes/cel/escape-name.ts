const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

/**
 * How expressions spell a property's name (apiserver `cel/escaping.go`): `a-b` as `a__dash__b`, `namespace` as `__namespace__`. Undefined
 * for a name that cannot be spelled; such a property is out of reach.
 */
export function escapeName(property: string): string | undefined {
  if (reserved.has(property)) return `__${property}__`;
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(property)) return undefined;
  return property.replace(/__|[-./]/g, (found) => {
    if (found === "__") return "__underscores__";
    return found === "." ? "__dot__" : found === "-" ? "__dash__" : "__slash__";
  });
}
