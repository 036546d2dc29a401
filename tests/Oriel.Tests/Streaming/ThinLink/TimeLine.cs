using System.Globalization;
using System.Text;

namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>
/// Draws a stream's course as SVG: what the link takes, what is asked of the encoder, its frames, and the age of the picture.
/// </summary>
internal static class TimeLine
{
    private const int Width = 900,
        Row = 110,
        Left = 70,
        Gap = 34;

    /// <summary>Into the folder that ORIEL_TIME_LINES names; nothing where it names none.</summary>
    public static void Keep(SimulatedStream stream, string name)
    {
        if (Environment.GetEnvironmentVariable("ORIEL_TIME_LINES") is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, name + ".svg"), Draw(stream, name));
        }
    }

    private static string Draw(SimulatedStream stream, string name)
    {
        var seconds = stream.Samples[^1].At / 1e6;
        var text = new StringBuilder();
        var rows = 0;
        text.Append(Invariant($"<text x=\"{Left}\" y=\"16\" font-weight=\"bold\">{name}</text>\n"));
        var rate = stream.Samples.Max(sample => Math.Max(sample.Link, 0)) * 1.6;
        Add(
            "Mbit/s: link (grey), target (blue)",
            rate / 1e6,
            [
                ("#999", stream.Samples.Select(sample => (sample.At / 1e6, sample.Link / 1e6))),
                ("#06c", stream.Samples.Select(sample => (sample.At / 1e6, Math.Min(sample.Target, rate) / 1e6))),
            ]
        );
        Add(
            "ms of queue: at the link (red), in the server (orange)",
            300,
            [
                ("#c22", stream.Samples.Select(sample => (sample.At / 1e6, Math.Min(300, sample.QueueUs / 1e3)))),
                ("#e90", stream.Samples.Select(sample => (sample.At / 1e6, Math.Min(300, sample.QueuedBytes * 8e3 / sample.Pacing)))),
            ]
        );
        Add(
            "kB of each frame",
            40,
            [("#284", stream.Sent.Select(frame => (frame.At / 1e6, Math.Min(40, frame.Bytes / 1e3))))],
            isBars: true
        );
        var coarsest = Math.Max(51, stream.Sent.Max(frame => frame.Quantizer));
        Add("quantizer", coarsest, [("#828", stream.Sent.Select(frame => (frame.At / 1e6, (double)frame.Quantizer)))]);
        Add(
            "ms of age when shown",
            500,
            [("#000", stream.Frames.Select(frame => (frame.Shown / 1e6, Math.Min(500, (frame.Shown - frame.Drawn) / 1e3))))],
            isBars: true
        );
        var height = 30 + rows * (Row + Gap);
        return Invariant(
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Left + Width + 20} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{text}</svg>\n"
        );

        void Add(string title, double most, (string Colour, IEnumerable<(double Second, double Value)> Points)[] lines, bool isBars = false)
        {
            var top = 30 + rows++ * (Row + Gap);
            text.Append(Invariant($"<text x=\"{Left}\" y=\"{top + 12}\">{title}</text>\n"));
            text.Append(
                Invariant($"<rect x=\"{Left}\" y=\"{top + 18}\" width=\"{Width}\" height=\"{Row}\" fill=\"none\" stroke=\"#ccc\"/>\n")
            );
            text.Append(Invariant($"<text x=\"{Left - 6}\" y=\"{top + 28}\" text-anchor=\"end\">{most:0.##}</text>\n"));
            for (var second = 0; second <= seconds; second += 2)
            {
                text.Append(
                    Invariant($"<text x=\"{Left + second / seconds * Width:0}\" y=\"{top + Row + 30}\" fill=\"#888\">{second} s</text>\n")
                );
            }

            foreach (var (colour, points) in lines)
            {
                var path = new StringBuilder();
                foreach (var (second, value) in points)
                {
                    var (x, y) = (Left + second / seconds * Width, top + 18 + Row - value / most * Row);
                    path.Append(
                        isBars
                            ? Invariant($"M{x:0.0} {top + 18 + Row}V{y:0.0}")
                            : Invariant($"{(path.Length == 0 ? 'M' : 'L')}{x:0.0} {y:0.0}")
                    );
                }

                text.Append(Invariant($"<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\"/>\n"));
            }
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
