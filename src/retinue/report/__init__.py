"""Reports: charts as SVG text, and pages of one HTML file each that open offline and print."""
