// RFC 6902, as far as the server uses it: add, remove, replace. The document itself is never changed; what the
// patch does not touch is shared with the result.

/** The document with the operations done; throws when one of them does not fit. */
export function applyPatch(document, operations) {
  return operations.reduce((changed, operation) => {
    const tokens = operation.path.split("/").slice(1).map(token => token.replaceAll("~1", "/").replaceAll("~0", "~"));
    return change(changed, tokens, operation);
  }, document);
}

function change(value, [token, ...rest], operation) {
  if (token === undefined) return operation.op === "remove" ? undefined : operation.value;
  if (value === null || typeof value !== "object") throw new Error(`there is no ${operation.path}`);
  return Array.isArray(value) ? changeArray(value, token, rest, operation) : changeObject(value, token, rest, operation);
}

function changeObject(object, token, rest, operation) {
  const isAdded = operation.op === "add" && rest.length === 0;
  if (!isAdded && !Object.hasOwn(object, token)) throw new Error(`there is no ${operation.path}`);
  const { [token]: inner, ...others } = object;
  if (operation.op === "remove" && rest.length === 0) return others;
  return { ...object, [token]: change(inner, rest, operation) };
}

function changeArray(array, token, rest, operation) {
  const isAdded = operation.op === "add" && rest.length === 0;
  const index = token === "-" ? array.length : /^(0|[1-9]\d*)$/.test(token) ? Number(token) : NaN;
  if (!(index < array.length + (isAdded ? 1 : 0))) throw new Error(`there is no ${operation.path}`);
  const isRemoved = operation.op === "remove" && rest.length === 0;
  const replacement = isRemoved ? [] : [change(array[index], rest, operation)];
  return [...array.slice(0, index), ...replacement, ...array.slice(isAdded ? index : index + 1)];
}
