(
    "How a second examiner repeats an examination: what to do, step by step, and how the script is had from a "
    "report."
)
from __future__ import annotations

__all__ = ["extraction", "steps"]

_FROM = {
    "html": r"""sed -n '/^<pre id="script">$/,/^<\/pre>$/p' {} | sed -e 1d -e '$d' -e 's/&lt;/</g' -e 's/&gt;/>/g' """
    r"""-e 's/&amp;/\&/g' > examine.sh""",
    "md": r"""sed -n '/^```sh examine$/,/^```$/p' {} | sed -e 1d -e '$d' > examine.sh""",
    "json": r"""sed -n '/^  "script": \[$/,/^  \]$/p' {} | sed -e 1d -e '$d' -e 's/^   "//' -e 's/",*$//' """
    r"""-e 's/\\"/"/g' -e 's/\\\\/\\/g' > examine.sh""",
}


def extraction(report: str) -> str:
    """The shell line that takes the script out of a report with this name.

    >>> extraction("report.md").endswith("> examine.sh")
    True
    """
    return _FROM[report.rpartition(".")[2]].format(report)


def steps(report: str) -> list[str]:
    (
        "What a second examiner does, in words."
    )
    return [
        "Work on copies. The originals stay as they are; note who hands them over, when, and the digests of section 2.",
        f"Take the script out of this report, with: {extraction(report)}",
        "Compare its digest with the one that is printed here: b3sum --no-names examine.sh",
        (
            "Read it. It is a POSIX shell script that uses awk and b3sum, and nothing of the program that "
            "made this report."
        ),
        "Run it on the folder with the copies: sh examine.sh FOLDER",
        (
            "It first checks that the files there are those of this report, by length and digest; then it "
            "judges them anew, line by line where a digest does not settle it, and prints its own verdict. "
            "Its exit status is that of the verdict; 5 says that the files are others."
        ),
        "One line by hand: sh examine.sh show FILE LINE FOLDER, with the number of the file from section 2.",
    ]
