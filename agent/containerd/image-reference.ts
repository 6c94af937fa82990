/**
 * Is this a well-formed image reference? The grammar is that of github.com/distribution/reference (`reference.ParseNormalizedNamed`), which
 * the kubelet and containerd use: `[domain[:port]/]path[:tag][@digest]`, the name at most 255 characters, no upper case in the path.
 */
export function isImageReference(image: string): boolean {
  const match = referencePattern.exec(image);
  const name = match?.groups?.name;
  return name !== undefined && name.length <= 255 && !/^[a-f0-9]{64}$/.test(name);
}

const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathComponent = "[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const referencePattern = new RegExp(
  `^(?<name>(?:${domain}/)?${pathComponent}(?:/${pathComponent})*)(?::[\\w][\\w.-]{0,127})?(?:@${digest})?$`,
);
