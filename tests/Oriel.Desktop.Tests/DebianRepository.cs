using System.Formats.Tar;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Oriel.Desktop.Tests;

/// <summary>
/// A flat repository (sources.list(5)) of one package (deb(5)) with one program, as the site's part of the outside world.
/// </summary>
internal static class DebianRepository
{
    public const string Package = "oriel-test-greeting";
    public const string Greeting = "installed through the proxy";

    private const string Folder = "debian";
    private const string FileName = Package + "_1.0_all.deb";

    private const string Control = $"""
        Package: {Package}
        Version: 1.0
        Architecture: all
        Maintainer: Oriel tests <nobody@site.test>
        Installed-Size: 1
        Description: says that it is there

        """;

    /// <summary>Each a command of the desktop: names the repository, reads it, installs from it, runs what it installed.</summary>
    public static string[] Commands(TestSite site) =>
        [
            $"echo 'deb [trusted=yes] {site.Url}{Folder} ./' | sudo tee /etc/apt/sources.list.d/test.list",
            // Debian's own mirror has nothing to do with it.
            "sudo apt-get -q -o Dir::Etc::SourceList=/etc/apt/sources.list.d/test.list -o Dir::Etc::SourceParts=- update",
            $"sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y install {Package}",
            Package,
        ];

    public static void Map(WebApplication app)
    {
        var package = MakePackage();
        var packages = Encoding.ASCII.GetBytes(
            $"""
            {Control.TrimEnd()}
            Filename: ./{FileName}
            Size: {package.Length}
            SHA256: {Convert.ToHexStringLower(SHA256.HashData(package))}

            """
        );
        var release = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            Date: {DateTimeOffset.UtcNow:R}
            SHA256:
             {Convert.ToHexStringLower(SHA256.HashData(packages))} {packages.Length} Packages

            """
        );
        app.MapGet($"/{Folder}/Packages", () => Results.Bytes(packages));
        app.MapGet($"/{Folder}/Release", () => release);
        app.MapGet($"/{Folder}/{FileName}", () => Results.Bytes(package));
    }

    private static byte[] MakePackage()
    {
        using var file = new MemoryStream();
        file.Write("!<arch>\n"u8);
        Add(file, "debian-binary", "2.0\n"u8);
        Add(file, "control.tar.gz", Pack(("./control", UnixFileMode.UserRead | UnixFileMode.UserWrite, Control)));
        Add(file, "data.tar.gz", Pack(($"./usr/bin/{Package}", (UnixFileMode)0b111_101_101, $"#!/bin/sh\necho '{Greeting}'\n")));
        return file.ToArray();
    }

    /// <summary>A member of an archive of ar(1): name, time, owner, group, mode, size, and an even number of bytes.</summary>
    private static void Add(MemoryStream archive, string name, ReadOnlySpan<byte> content)
    {
        archive.Write(
            Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"{name, -16}{0, -12}{0, -6}{0, -6}{"100644", -8}{content.Length, -10}`\n")
            )
        );
        archive.Write(content);
        if (content.Length % 2 == 1)
        {
            archive.WriteByte((byte)'\n');
        }
    }

    internal static byte[] Pack(params (string Path, UnixFileMode Mode, string Content)[] files)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Ustar))
        {
            foreach (var (path, mode, content) in files)
            {
                tar.WriteEntry(
                    new UstarTarEntry(TarEntryType.RegularFile, path)
                    {
                        Mode = mode,
                        DataStream = new MemoryStream(Encoding.ASCII.GetBytes(content)),
                    }
                );
            }
        }

        return packed.ToArray();
    }
}
