//! The figures as charts. Their background is white, so that they can also be read on a dark page.

use local::Error;
use plotters::prelude::*;

use crate::peers::Peer;
use crate::report::{cores, ms};
use crate::throughput::{CONCURRENCY, Load, Rate};
use crate::waits::Case;

const COLORS: [RGBColor; 3] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(136, 136, 136),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws a panel for each case, with each function's first request and later ones.
pub(crate) fn waits(path: &str, peers: &[Peer], cases: &[Case]) -> Result<(), Error> {
    let root = SVGBackend::new(path, (900, 620)).into_drawing_area();
    root.fill(&WHITE)?;
    let names = peers.iter().map(|peer| peer.name.clone());
    legend(
        &root,
        "What a caller waits, ms: first request (dark), later ones (light, to their p99)",
        names,
    )?;
    let (_, panels) = root.split_vertically(60);
    let panels = panels.split_evenly((cases.len().div_ceil(2).min(3), 2));
    for (panel, case) in panels.iter().zip(cases) {
        let most = case
            .waits
            .iter()
            .map(|it| ms(it.first.max(it.p99)))
            .fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(panel)
            .caption(case.name(), ("sans-serif", 18))
            .margin(8)
            .y_label_area_size(45)
            .build_cartesian_2d(0.0..case.waits.iter().map(|_| 3.0).sum(), 0.0..most * 1.15)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(5)
            .y_label_formatter(&|y| format!("{y:.0}"))
            .max_light_lines(0)
            .draw()?;
        for ((i, waits), color) in (0..).zip(&case.waits).zip(COLORS.iter().cycle()) {
            let x = 3.0 * f64::from(i) + 0.4;
            let bars = [
                (x, waits.first, color.mix(1.0)),
                (x + 1.1, waits.p50, color.mix(0.55)),
            ];
            for (x, wait, color) in bars {
                let wait = ms(wait);
                chart.draw_series([Rectangle::new([(x, 0.0), (x + 1.0, wait)], color.filled())])?;
                let label = format!("{wait:.0}");
                chart.draw_series([Text::new(
                    label,
                    (x + 0.15, wait + most * 0.09),
                    ("sans-serif", 14),
                )])?;
            }
            let x = x + 2.0;
            chart.draw_series([PathElement::new(
                [(x, ms(waits.p50)), (x, ms(waits.p99))],
                color,
            )])?;
        }
    }
    root.present()?;
    Ok(())
}

/// Draws requests a second and p99, each by concurrency.
pub(crate) fn throughput(path: &str, peers: &[Peer], loads: &[Load]) -> Result<(), Error> {
    let root = SVGBackend::new(path, (900, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    let lines: Vec<(u32, usize)> = [1, 2]
        .into_iter()
        .flat_map(|cores| (0..peers.len()).map(move |peer| (cores, peer)))
        .collect();
    let panels = root.split_evenly((1, 2));
    let rate: fn(&Rate) -> f64 = |rate| rate.requests;
    let figures = [
        ("requests a second", rate),
        ("p99, ms", |rate| ms(rate.p99)),
    ];
    for (panel, (caption, figure)) in panels.iter().zip(figures) {
        let all = loads.iter().flat_map(|load| &load.rates);
        let most = all.map(figure).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(panel)
            .caption(caption, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(45)
            .build_cartesian_2d(0..CONCURRENCY[CONCURRENCY.len() - 1], 0.0..most * 1.1)?;
        let mesh = &mut chart.configure_mesh();
        mesh.light_line_style(WHITE)
            .x_desc("requests at a time")
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()?;
        for (cores_of_line, peer) in &lines {
            let line = loads.iter().filter(|load| load.cores == *cores_of_line);
            let points = line.map(|load| (load.concurrency, figure(&load.rates[*peer])));
            let opacity = if *cores_of_line == 2 { 1.0 } else { 0.5 };
            let style = COLORS[*peer].mix(opacity).stroke_width(2);
            let series = LineSeries::new(points, style).point_size(3);
            chart
                .draw_series(series)?
                .label(format!("{}, {}", peers[*peer].name, cores(*cores_of_line)))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .draw()?;
    }
    root.present()?;
    Ok(())
}

/// Draws a title and each function's color.
fn legend(area: &Area, title: &str, names: impl Iterator<Item = String>) -> Result<(), Error> {
    area.draw(&Text::new(title, (12, 10), ("sans-serif", 19)))?;
    for (i, name) in names.enumerate() {
        let x = 12 + 170 * i32::try_from(i)?;
        area.draw(&Rectangle::new(
            [(x, 36), (x + 14, 50)],
            COLORS[i % COLORS.len()].filled(),
        ))?;
        area.draw(&Text::new(name, (x + 20, 36), ("sans-serif", 14)))?;
    }
    Ok(())
}
