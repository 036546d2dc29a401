using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Templates;
using Oriel.Egress.Policy;
using Oriel.Images.Store;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;
using Oriel.Server.Desktops;
using Oriel.Server.Http;

namespace Oriel.Tests.Fuzz;

/// <summary>Files and bodies that the server reads, each by the code that reads it in the server.</summary>
public sealed class ServerFuzzTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("oriel-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ImageManifest_Mutated_IsAnImageOrNone()
    {
        var digest = "sha256:" + new string('a', 64);
        var directory = Directory.CreateDirectory(Path.Combine(_folder, new string('a', 64))).FullName;
        var file = new ImageDirectory(directory).Manifest;
        var store = new ImageStore(_folder, allowUntested: false);
        Fuzzer.Run(
            "image-manifest",
            input =>
            {
                File.WriteAllBytes(file, input);
                foreach (var image in store.List())
                {
                    Assert.Equal(directory, store.PathOf(image.Digest));
                    Assert.NotNull(store.Find(image.Digest));
                    Assert.Equal(store.IsUsable(image), store.FindUsable(image.Name) is not null);
                    Assert.DoesNotContain(null, image.Packages);
                    store.RecordBootTest(digest, image.BootTest);
                    Assert.Single(store.List());
                }
            },
            iterations: 2_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void Templates_Mutated_AreTakenOrRefusedPlainly()
    {
        var file = new DataLayout(_folder).Templates;
        Fuzzer.Run(
            "templates",
            input =>
            {
                File.WriteAllBytes(file, input);
                try
                {
                    foreach (var template in new TemplateCatalog(TemplateFile.Read(file)).All)
                    {
                        // What a template says must do for a desktop of which nothing else is said.
                        var (spec, error) = CreateRequestValidator.Validate(new CreateDesktopRequest(), template);
                        Assert.True(spec is not null, error);
                        RequireSound(spec);
                    }
                }
                catch (IOException e)
                {
                    Assert.NotEmpty(e.Message);
                }
            },
            iterations: 4_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void EgressPolicy_Mutated_IsTakenOrRefusedPlainly()
    {
        string[] hosts = ["www.example.org", "127.0.0.1", "2001:db8::1", "a.b.c", "localhost"];
        Fuzzer.Run(
            "egress-policy",
            input =>
            {
                EgressPolicy? policy;
                try
                {
                    policy = JsonSerializer.Deserialize(input, DesktopsApiJsonContext.Default.EgressPolicy);
                }
                catch (JsonException)
                {
                    return;
                }

                if (policy is null || policy.Validate() is not null)
                {
                    return;
                }

                foreach (var host in hosts)
                {
                    Assert.True(policy.Mode != EgressMode.None || !policy.Evaluate(host, 443).Allowed);
                }

                Assert.Null(policy.WithoutSecrets().Upstream?.Password);
                Assert.Null(
                    JsonSerializer
                        .Deserialize(
                            JsonSerializer.SerializeToUtf8Bytes(policy, DesktopsApiJsonContext.Default.EgressPolicy),
                            DesktopsApiJsonContext.Default.EgressPolicy
                        )!
                        .Validate()
                );
            },
            iterations: 10_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void KeeperFiles_Mutated_AreReadOrNone()
    {
        var bundle = new Bundle(_folder);
        Fuzzer.Run(
            "keeper-file",
            input =>
            {
                File.WriteAllBytes(bundle.Spec, input);
                foreach (var path in (string[])[bundle.Identity, bundle.Exit, bundle.KeeperLog, bundle.ConsoleLog])
                {
                    File.Delete(path);
                    File.CreateSymbolicLink(path, Path.GetFileName(bundle.Spec));
                }

                if (bundle.ReadSpec() is { } spec)
                {
                    // What the next server uses of it when it adopts.
                    Assert.Equal(32, spec.EgressKey.Length);
                    Assert.Equal(32, spec.AgentKey.Length);
                    Assert.NotNull(spec.Limits);
                }

                if (bundle.ReadIdentity() is { } identity)
                {
                    Assert.False(KeeperLiveness.IsAlive(identity));
                }

                var exit = bundle.ReadExit();
                Assert.True(exit is null || exit.Reason is not null);
                Assert.InRange(bundle.TailOfConsoleLog(1024).Sum(line => line.Length), 0, 1024);
            },
            iterations: 2_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void CreateBody_Mutated_IsASpecOrAReason()
    {
        var template = DesktopTemplate.Default;
        Fuzzer.Run(
            "create",
            input =>
            {
                var context = new DefaultHttpContext();
                context.Request.ContentType = "application/json";
                context.Request.Body = new MemoryStream(input.ToArray());
                var reading = JsonBody.ReadAsync(context, DesktopsApiJsonContext.Default.CreateDesktopRequest);
                Assert.True(reading.IsCompletedSuccessfully, reading.Exception?.ToString());
                var (request, problem) = reading.Result;
                if (request is null)
                {
                    Assert.NotNull(problem);
                    return;
                }

                var (spec, error) = CreateRequestValidator.Validate(request, template);
                if (spec is null)
                {
                    Assert.NotEmpty(error!);
                    Assert.InRange(error!.Length, 1, 6000);
                    return;
                }

                RequireSound(spec);
            },
            iterations: 4_000,
            form: FuzzForm.Json
        );
    }

    [Fact]
    public void RangeHeader_Mutated_IsWithinTheFile()
    {
        long[] sizes = [0, 1, 10, 4096, long.MaxValue];
        Fuzzer.Run(
            "range",
            input =>
            {
                var size = sizes[input.Length % sizes.Length];
                if (FileTransfer.TryReadRange(Encoding.Latin1.GetString(input), size, out _, out var from, out var length))
                {
                    Assert.InRange(from, 0, size);
                    Assert.InRange(length, 0, size - from);
                }
            },
            form: FuzzForm.Text
        );
    }

    /// <summary>What the validator lets through keeps to the documented bounds.</summary>
    private static void RequireSound(DesktopSpec spec)
    {
        Assert.InRange(spec.Width, DesktopTemplate.MinWidth, DesktopTemplate.MaxWidth);
        Assert.InRange(spec.Height, DesktopTemplate.MinHeight, DesktopTemplate.MaxHeight);
        Assert.InRange(spec.Name.Length, 1, 64);
        Assert.InRange(spec.Hostname.Length, 1, 63);
        Assert.Null(spec.Egress.Validate());
        Assert.True(spec.Ttl is null || spec.Ttl > TimeSpan.Zero);
        Assert.True(spec.IdleTimeout is null || spec.IdleTimeout > TimeSpan.Zero);
        Assert.True(spec.Limits is { MemoryBytes: >= 0, Cpus: >= 0 and < 10_000, Pids: >= 0 }, spec.Limits.ToString());
        Assert.NotEmpty(spec.Image);
        Assert.InRange(spec.Files.Count, 0, GuestRules.MaxFiles);
        foreach (var file in spec.Files)
        {
            Assert.Equal(file.Path, Path.GetFullPath(file.Path));

            // The guest's agent judges paths by its own rules; it must not refuse what was accepted here.
            Assert.Null(GuestRules.PathProblem(file.Path));
        }
    }
}
