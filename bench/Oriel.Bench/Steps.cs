using System.Globalization;
using System.Text.Json.Nodes;
using Oriel.Desktop.Tests;

namespace Oriel.Bench;

/// <summary>
/// The times of the named steps of several desktops, in the order in which they were first seen; each row is told by its median.
/// </summary>
internal sealed class Steps
{
    private readonly List<string> _names = [];
    private readonly Dictionary<string, List<double>> _times = [];

    public IReadOnlyList<string> Names => _names;

    public void Add(string name, double ms)
    {
        if (!_times.TryGetValue(name, out var times))
        {
            _names.Add(name);
            times = _times[name] = [];
        }

        times.Add(ms);
    }

    /// <param name="desktop">As the API tells it.</param>
    public void AddAll(JsonNode desktop)
    {
        foreach (var step in desktop["steps"]!.AsArray())
        {
            Add(step!["name"]!.GetValue<string>(), step["elapsedMs"]!.GetValue<double>());
        }
    }

    public string Median(string name) => _times.TryGetValue(name, out var times) ? Text(times.Order().ElementAt(times.Count / 2)) : "-";

    public string[] Row(string name) =>
        _times.TryGetValue(name, out var times) ? [name, Median(name), Text(times.Min()), Text(times.Max())] : [name, "-", "-", "-"];

    public static string Text(double ms) => ms.ToString(ms < 10 ? "F1" : "F0", CultureInfo.InvariantCulture);

    /// <summary>Waits until a desktop has done this step, and tells the desktop as it is then.</summary>
    public static async Task<JsonNode> DoneAsync(OrielServer server, string id, string step)
    {
        JsonNode desktop = null!;
        await OrielServer.EventuallyAsync(
            async () =>
            {
                desktop = JsonNode.Parse(await server.Api.GetStringAsync($"/api/desktops/{id}"))!;
                if (desktop["reason"] is { } reason)
                {
                    throw new InvalidOperationException($"The desktop failed before {step}: {reason.ToJsonString()}");
                }

                return desktop["steps"]!
                    .AsArray()
                    .Any(done => done!["name"]!.GetValue<string>() == step && done["state"]!.GetValue<string>() == "done")
                    ? null
                    : $"{step} is not done: {desktop.ToJsonString()}";
            },
            TimeSpan.FromMinutes(5)
        );
        return desktop;
    }
}
