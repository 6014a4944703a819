// Two trials chosen, their settings side by side where they differ.
(function () {
    const trials = JSON.parse(document.getElementById("configs").textContent);
    const first = document.getElementById("first");
    const second = document.getElementById("second");
    const table = document.getElementById("difference");

    // {"a": {"b": 1}} as {"a.b": "1"}
    function flat(value, path, to) {
        if (value !== null && typeof value === "object")
            for (const key in value)
                flat(value[key], path ? path + "." + key : key, to);
        else
            to[path] = String(value);
        return to;
    }

    function addRow(...cells) {
        const row = document.createElement("tr");
        cells.forEach(function (text, i) {
            const cell = document.createElement("td");
            cell.textContent = text === undefined ? "–" : text;
            cell.className = i === 0 ? "soft" : "wrap";
            row.appendChild(cell);
        });
        table.appendChild(row);
    }

    function show() {
        const a = flat(trials[first.value].config, "", {});
        const b = flat(trials[second.value].config, "", {});
        const differ = Object.keys({ ...a, ...b }).sort().filter(key => a[key] !== b[key]);
        table.textContent = "";
        differ.forEach(key => addRow(key, a[key], b[key]));
        if (differ.length === 0)
            addRow("no difference");
    }

    trials.forEach(function (trial, i) {
        [first, second].forEach(function (list) {
            const option = document.createElement("option");
            option.value = i;
            option.textContent = trial.title;
            list.appendChild(option);
        });
    });
    second.value = Math.min(1, trials.length - 1);
    first.onchange = second.onchange = show;
    show();
})();
