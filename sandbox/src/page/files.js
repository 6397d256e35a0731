/** How many files a message holds, and how large each may be. */
export const MAX_FILES = 10;
export const MAX_FILE_BYTES = 10 * 1024 * 1024;

/** Splits `files` into those that still fit beside `n` others, `most` in all, and one sentence for each kind that does not. */
export function acceptFiles(files, n = 0, limit = MAX_FILE_BYTES, most = MAX_FILES) {
  const small = files.filter((file) => file.size <= limit);
  const accepted = small.slice(0, Math.max(0, most - n));
  const problems = files.filter((file) => file.size > limit)
    .map((file) => `${file.name} is too large: a file has at most ${sizeText(limit)}.`);
  if (small.length > accepted.length) problems.push(`At most ${most} ${most === 1 ? "file fits" : "files fit"} here.`);
  return { accepted, problems };
}

/** The files of a drop or a paste. A pasted picture gets a name of its own. */
export function filesOf(transfer) {
  return [...(transfer?.files ?? [])].map((file, index) => (file.name && file.name !== "image.png" ? file : new File([file], `pasted-${index + 1}.${extensionOf(file.type)}`, { type: file.type })));
}

const extensionOf = (type) => ({ "image/jpeg": "jpg", "image/svg+xml": "svg" })[type] ?? (type.split("/")[1] || "bin");

/** A file as the sandbox takes it: its name, type and bytes. */
export function fileValue(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ filename: file.name, content_type: file.type || "application/octet-stream", data: reader.result.split(",")[1] ?? "" });
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

/** A number of bytes for people. */
export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const unit = bytes < 1024 ** 2 ? ["KB", 1024] : ["MB", 1024 ** 2];
  return `${(bytes / unit[1]).toFixed(1).replace(/\.0$/, "")} ${unit[0]}`;
}
