using System.Text;
using Google.Protobuf;
using Oriel.Agent.Accounts;
using Oriel.Agent.Configuration;
using Oriel.Agent.Variables;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Desktops;

namespace Oriel.Tests.Fuzz;

/// <summary>What the agent in the guest reads: texts of its image and the configure request.</summary>
public sealed class AgentFuzzTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("oriel-fuzz-").FullName;
    private readonly SystemCatalog _catalog;
    private readonly UserAccount _user = new("user", 1000, 1000, "/home/user", "/bin/bash", [1000]);

    public AgentFuzzTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "zones/Europe"));
        File.WriteAllText(Path.Combine(_folder, "zones/UTC"), "TZif2");
        File.WriteAllText(Path.Combine(_folder, "zones/Europe/Paris"), "TZif2");
        File.WriteAllText(
            Path.Combine(_folder, "evdev.lst"),
            "! layout\n  us  English (US)\n  de  German\n! variant\n  nodeadkeys  de: German (no dead keys)\n"
        );
        _catalog = new SystemCatalog(Path.Combine(_folder, "zones"), Path.Combine(_folder, "evdev.lst"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>One input goes through every small reader of texts: what is none of theirs is as good as any other hostile text.</summary>
    [Fact]
    public void Texts_Mutated_AreReadOrRefusedPlainly()
    {
        Dictionary<string, string> set = new() { ["LANG"] = "C.UTF-8", ["QUOTED"] = "'a \"b\" c'" };
        Fuzzer.Run(
            "agent-text",
            input =>
            {
                var text = Encoding.UTF8.GetString(input);
                foreach (var (name, _) in EnvironmentFile.Parse(text))
                {
                    Assert.True(GuestRules.IsVariableName(name));
                }

                var merged = EnvironmentFile.Parse(EnvironmentFile.Merge(text, set)).ToDictionary();
                Assert.All(set, pair => Assert.Equal(pair.Value, merged[pair.Key]));
                if (KeyboardLayout.TryParse(text) is { } layout)
                {
                    Assert.Equal(text, layout.ToString() + (text.EndsWith("()", StringComparison.Ordinal) ? "()" : ""));
                    _catalog.HasLayout(layout);
                }

                Assert.True(
                    FileOwner.TryParse(text, _user) is null
                        || text is "" or "user" or "root"
                        || text.All(c => char.IsAsciiDigit(c) || c == ':'),
                    text
                );
                UserAccounts.Find("user", text.Split('\n'), text.Split('\n'));
                Assert.True(GuestRules.PathProblem(text) is not null || Path.GetFullPath(text) == text, text);
                Assert.True(!_catalog.HasTimeZone(text) || text is "UTC" or "Europe/Paris", text);
                Assert.True(CreateRequestValidator.ReadMode(text) is null or <= 0xFFF);
                Assert.True(!CreateRequestValidator.IsOwner(text) || FileOwner.TryParse(text, _user) is not null, text);
                Assert.True(!DesktopId.TryParse(text, null, out var id) || id.ToString() == text);
            },
            iterations: 5_000,
            form: FuzzForm.Text
        );
    }

    [Fact]
    public void ConfigureRequest_Mutated_IsAPlanOrFaults() =>
        Fuzzer.Run(
            "configure",
            input =>
            {
                if (Read(input.ToArray()) is { } request)
                {
                    Judge(request);
                }
            },
            iterations: 4_000,
            form: FuzzForm.Json
        );

    /// <summary>From the wire's form, or from the readable one, whose values can be hostile while its frame stays whole.</summary>
    private static ConfigureRequest? Read(byte[] input)
    {
        try
        {
            return input is [(byte)'{', ..]
                ? JsonParser.Default.Parse<ConfigureRequest>(Encoding.UTF8.GetString(input))
                : ConfigureRequest.Parser.ParseFrom(input);
        }
        catch (Exception e)
            when (e is InvalidProtocolBufferException or InvalidJsonException || (input is [(byte)'{', ..] && e is not OutOfMemoryException)
            )
        {
            // The readable form is the test's own; only what the wire's parser throws is the agent's matter.
            return null;
        }
    }

    private void Judge(ConfigureRequest request)
    {
        var (plan, faults) = ConfigurationPlan.Create(request, _user, _catalog, "boot");
        Assert.NotEqual(plan is null, faults.Count == 0);
        Assert.InRange(faults.Count, 0, 20);
        if (plan is null)
        {
            return;
        }

        Assert.All(plan.Files, file => Assert.Equal(file.Path, Path.GetFullPath(file.Path)));
        Assert.True(ConfigurationPlan.IsHostname(plan.Hostname));
        Assert.InRange(plan.Width, 1, 3840);
        Assert.InRange(plan.Height, 1, 2160);
        var read = EnvironmentFile.Parse(EnvironmentFile.Merge("", plan.Environment)).ToDictionary();
        Assert.Equal(plan.Environment.Count, read.Count);
        Assert.All(plan.Environment, pair => Assert.Equal(pair.Value, read[pair.Key]));
    }

    /// <summary>Writes the wire's form of the readable seeds; run it by name after a change of the message.</summary>
    [Fact(Explicit = true)]
    public void Seeds_Write()
    {
        var folder = Path.Combine(Structure.SourceTree.Root, "tests", "fuzz-seeds", "configure");
        foreach (var file in Directory.GetFiles(folder, "*.json"))
        {
            File.WriteAllBytes(
                Path.ChangeExtension(file, ".bin"),
                JsonParser.Default.Parse<ConfigureRequest>(File.ReadAllText(file)).ToByteArray()
            );
        }
    }
}
