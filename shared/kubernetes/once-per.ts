/** `make`, called once for each key as long as that lives: for what is compiled of parts of stored objects, which never change. */
export function oncePer<K extends WeakKey, V extends object>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    let value = made.get(key);
    if (!value) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}
