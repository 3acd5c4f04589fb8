import { trainMlp } from "../mlp.js";

const status = document.querySelector("#status");
const rows = document.querySelector("#epochs");

function addRow({ epoch, loss, accuracy, validation, seconds }) {
  const cells = [epoch + 1, loss.toFixed(4), accuracy.toFixed(4), validation.accuracy.toFixed(4), seconds.toFixed(1)];
  rows.insertRow().append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
}

try {
  const result = await trainMlp(addRow);
  status.textContent = `${result.adapter}: test accuracy ${result.accuracy.toFixed(4)}`;
  document.body.dataset.result = JSON.stringify(result);
} catch (error) {
  status.textContent = error.message;
  status.className = "error";
  document.body.dataset.error = error.message;
}
