/** Whether `text` is a UUID as the database writes it; it refuses to compare its ids with anything else. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
