/** No segment is empty or starts with a dot, so no key leaves the folder or names a hidden file. */
const keyPattern = /^(?!.{513})[a-z0-9][A-Za-z0-9._-]*(\/[a-z0-9][A-Za-z0-9._-]*)*$/;

/** Whether `key` may name an object. */
export const isObjectKey = (key: string): boolean => keyPattern.test(key);
