#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
    Installs trc2npy, and its worker as a service that starts with the machine.

.DESCRIPTION
    Copies the program to Program Files, registers and starts the service trc2npy-worker with its source in the event log, and,
    where that is asked for, opens the coordinator's port and keeps Defender out of the data folders. Given again it brings the
    new program and the new settings. Whatever fails: what this call has made until then is undone.

.PARAMETER Root
    A storage place that all machines share, and where it is for this one: data=\\nas\lab. Drive letters of a share are not
    there for services.

.PARAMETER ConnectTo
    Where the coordinator listens: pc1:7070.

.PARAMETER Credential
    The account of the service, which must be able to read and write the roots. Without it the service is LocalService, whom
    other machines do not know.

.PARAMETER WorkerOption
    More options of `trc2npy worker`, as they stand on its command line: --insecure, --cpus=4.

.PARAMETER Coordinator
    Opens the port of a coordinator on this machine, for networks that Windows calls private or a domain.

.PARAMETER Port
    The coordinator's port.

.PARAMETER ExcludeFromDefender
    Has Microsoft Defender no longer look into the folders of the roots that are on this machine's disks. That makes
    conversions faster, and means that a virus in these folders is not found. Ask whoever is responsible for the machine first.

.PARAMETER Binary
    The program; by default trc2npy.exe beside this script.

.EXAMPLE
    .\install.ps1 -Root 'data=\\nas\lab' -ConnectTo pc1:7070 -WorkerOption --insecure -Credential LAB\daq

.EXAMPLE
    .\install.ps1 -Coordinator -Port 7070
#>
[CmdletBinding(SupportsShouldProcess = $true, DefaultParameterSetName = 'Worker')]
param(
    [Parameter(Mandatory = $true, ParameterSetName = 'Worker')]
    [ValidatePattern('^[A-Za-z0-9_-]+=.+$')]
    [string[]] $Root,

    [Parameter(Mandatory = $true, ParameterSetName = 'Worker')]
    [ValidatePattern('^\S+:\d{1,5}$')]
    [string] $ConnectTo,

    [Parameter(ParameterSetName = 'Worker')]
    [System.Management.Automation.PSCredential]
    [System.Management.Automation.Credential()]
    $Credential = [System.Management.Automation.PSCredential]::Empty,

    [Parameter(ParameterSetName = 'Worker')]
    [ValidatePattern('^--[a-z]')]
    [string[]] $WorkerOption = @(),

    [Parameter(ParameterSetName = 'Worker')]
    [switch] $ExcludeFromDefender,

    [Parameter(ParameterSetName = 'Worker')]
    [Parameter(Mandatory = $true, ParameterSetName = 'Coordinator')]
    [switch] $Coordinator,

    [ValidateRange(1, 65535)]
    [int] $Port = 7070,

    [ValidateScript({ Test-Path -LiteralPath $_ -PathType Leaf })]
    [string] $Binary = (Join-Path $PSScriptRoot 'trc2npy.exe')
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$ServiceName = 'trc2npy-worker'
$RuleName = 'trc2npy-coordinator'
$Folder = Join-Path $env:ProgramFiles 'trc2npy'
$Program = Join-Path $Folder 'trc2npy.exe'
$Before = Join-Path $Folder 'trc2npy.exe.before'
$Notes = Join-Path $Folder 'installed.json'
$Logs = Join-Path $env:ProgramData 'trc2npy\log'

# What takes back what was done, the last first.
$Undo = New-Object 'System.Collections.Generic.Stack[hashtable]'
$Done = New-Object 'System.Collections.Generic.List[string]'

function Register-Undo {
    param([scriptblock] $Do, [object[]] $With = @())
    $Undo.Push(@{ Do = $Do; With = $With })
}

function Invoke-Program {
    # Its own sentences stand above the error.
    param([string[]] $Arguments)
    & $Program @Arguments | Out-Host
    if ($LASTEXITCODE -ne 0) {
        throw "trc2npy $($Arguments[0..2] -join ' ') ended with exit code $LASTEXITCODE"
    }
}

function Initialize-Folder {
    param([string] $Path)
    if (-not (Test-Path -LiteralPath $Path)) {
        $null = New-Item -ItemType Directory -Path $Path
        # Only where nothing was put into it meanwhile.
        Register-Undo -Do { param($made) [System.IO.Directory]::Delete($made) } -With $Path
    }
}

function Install-Program {
    $service = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
    if ($null -ne $service -and $service.Status -ne 'Stopped') {
        Invoke-Program -Arguments 'worker', 'service', 'stop'
        Register-Undo -Do { Start-Service -Name $ServiceName }
    }
    Initialize-Folder -Path $Folder
    if (Test-Path -LiteralPath $Program) {
        Move-Item -LiteralPath $Program -Destination $Before -Force
        Register-Undo -Do { Move-Item -LiteralPath $Before -Destination $Program -Force }
    }
    Register-Undo -Do { Remove-Item -LiteralPath $Program -Force -ErrorAction SilentlyContinue }
    Copy-Item -LiteralPath $Binary -Destination $Program
    $uninstall = Join-Path $PSScriptRoot 'uninstall.ps1'
    if ((Test-Path -LiteralPath $uninstall) -and $PSScriptRoot -ne $Folder) {
        $copy = Join-Path $Folder 'uninstall.ps1'
        if (-not (Test-Path -LiteralPath $copy)) {
            Register-Undo -Do { param($made) Remove-Item -LiteralPath $made -Force -ErrorAction SilentlyContinue } -With $copy
        }
        Copy-Item -LiteralPath $uninstall -Destination $copy -Force
    }
    $version = & $Program --version
    if ($LASTEXITCODE -ne 0) {
        throw "$Binary does not run on this machine"
    }
    $Done.Add("$version is at $Program")
}

function Install-LogFolder {
    Initialize-Folder -Path (Split-Path -Parent $Logs)
    Initialize-Folder -Path $Logs
    # LocalService by its number: its name depends on the language of Windows.
    $who = '*S-1-5-19'
    if ($Credential -ne [System.Management.Automation.PSCredential]::Empty) {
        $who = $Credential.UserName -replace '^\.\\', "$env:COMPUTERNAME\"
    }
    & icacls.exe $Logs /grant "${who}:(OI)(CI)M" /q | Out-Null
    if ($LASTEXITCODE -ne 0) {
        throw "$Logs cannot be opened for $who (icacls ended with exit code $LASTEXITCODE)"
    }
    $Done.Add("the log is in $Logs, a file a day")
}

function Install-Service {
    $old = Get-CimInstance -ClassName Win32_Service -Filter "Name='$ServiceName'"
    $words = @('worker', 'service', 'install', "--coordinator=$ConnectTo", "--log-file=$(Join-Path $Logs 'worker')")
    # A quotation mark behind a backslash would be taken for a part of the path.
    $words += $Root | ForEach-Object { "--root=$(if ($_ -match '[^:]\\$') { $_.TrimEnd('\') } else { $_ })" }
    $words += $WorkerOption
    try {
        if ($Credential -ne [System.Management.Automation.PSCredential]::Empty) {
            $words += "--account=$($Credential.UserName)"
            $env:TRC2NPY_SERVICE_PASSWORD = $Credential.GetNetworkCredential().Password
        }
        if ($null -eq $old) {
            Register-Undo -Do { & $Program worker service remove | Out-Host }
        }
        else {
            # The account stays the new one: Windows does not give its old password away.
            Register-Undo -With $old -Do {
                param($was)
                $null = Invoke-CimMethod -InputObject $was -MethodName Change -Arguments @{ PathName = $was.PathName }
            }
        }
        Invoke-Program -Arguments $words
    }
    finally {
        Remove-Item -LiteralPath Env:\TRC2NPY_SERVICE_PASSWORD -ErrorAction SilentlyContinue
    }
    $Done.Add("the service $ServiceName works for $ConnectTo, and starts with the machine")
}

function Open-Port {
    $rule = Get-NetFirewallRule -Name $RuleName -ErrorAction SilentlyContinue
    if ($null -ne $rule) {
        $was = ($rule | Get-NetFirewallPortFilter).LocalPort
        Register-Undo -With $was -Do { param($number) Set-NetFirewallRule -Name $RuleName -LocalPort $number }
        Set-NetFirewallRule -Name $RuleName -LocalPort $Port
    }
    else {
        Register-Undo -Do { Remove-NetFirewallRule -Name $RuleName -ErrorAction SilentlyContinue }
        $opening = @{
            Name        = $RuleName
            DisplayName = 'trc2npy coordinator'
            Direction   = 'Inbound'
            Action      = 'Allow'
            Protocol    = 'TCP'
            LocalPort   = $Port
            Program     = $Program
            Profile     = @('Domain', 'Private')
        }
        $null = New-NetFirewallRule @opening
    }
    $Done.Add("port $Port is open for a coordinator, in private networks and those of a domain")
}

function Add-Exclusion {
    # Returns the folders that were not excluded before.
    $known = @((Get-MpPreference).ExclusionPath)
    $added = @()
    foreach ($path in ($Root | ForEach-Object { ($_ -split '=', 2)[1] })) {
        if ($path -notmatch '^[A-Za-z]:' -or $known -contains $path) {
            continue
        }
        Register-Undo -Do { param($excluded) Remove-MpPreference -ExclusionPath $excluded } -With $path
        Add-MpPreference -ExclusionPath $path
        $added += $path
        $Done.Add("Defender no longer looks into ${path}: a virus there is not found")
    }
    return $added
}

function Save-Note {
    # What uninstall.ps1 is to take back. What an earlier call has made counts on.
    param([string[]] $Exclusions)
    $known = @()
    if (Test-Path -LiteralPath $Notes) {
        $text = Get-Content -LiteralPath $Notes -Raw
        $known = @(($text | ConvertFrom-Json).Exclusions)
        Register-Undo -Do { param($was) Set-Content -LiteralPath $Notes -Value $was -Encoding UTF8 } -With $text
    }
    else {
        Register-Undo -Do { Remove-Item -LiteralPath $Notes -ErrorAction SilentlyContinue }
    }
    $all = @(@($known) + @($Exclusions) | Where-Object { $_ } | Select-Object -Unique)
    ConvertTo-Json -InputObject @{ Exclusions = $all } | Set-Content -LiteralPath $Notes -Encoding UTF8
}

# Before anything is changed. (A default is not validated above.)
if (-not (Test-Path -LiteralPath $Binary -PathType Leaf)) {
    throw "$Binary is not there: put trc2npy.exe beside this script, or name it by -Binary"
}

try {
    $exclusions = @()
    if ($PSCmdlet.ShouldProcess($Program, 'Copy the program')) {
        Install-Program
    }
    if ($PSCmdlet.ParameterSetName -eq 'Worker') {
        if ($PSCmdlet.ShouldProcess($Logs, 'Make the folder of the log')) {
            Install-LogFolder
        }
        if ($PSCmdlet.ShouldProcess($ServiceName, 'Register the service and its source in the event log')) {
            Install-Service
        }
    }
    if ($Coordinator -and $PSCmdlet.ShouldProcess("port $Port", 'Open it in the firewall')) {
        Open-Port
    }
    if ($ExcludeFromDefender -and $PSCmdlet.ShouldProcess(($Root -join ', '), 'Keep Defender out')) {
        $exclusions = @(Add-Exclusion)
    }
    if ($PSCmdlet.ShouldProcess($Notes, 'Note what was done')) {
        Save-Note -Exclusions $exclusions
    }
    if ($PSCmdlet.ParameterSetName -eq 'Worker' -and $PSCmdlet.ShouldProcess($ServiceName, 'Start the service')) {
        Invoke-Program -Arguments 'worker', 'service', 'start'
        $Done.Add("the service $ServiceName runs")
    }
}
catch {
    $failure = $_
    Write-Warning "Failed; undoing what was done: $($failure.Exception.Message)"
    while ($Undo.Count -gt 0) {
        $step = $Undo.Pop()
        $with = $step.With
        try {
            & $step.Do @with
        }
        catch {
            Write-Warning "Could not be undone: $($_.Exception.Message)"
        }
    }
    throw $failure
}

if (-not $WhatIfPreference) {
    Remove-Item -LiteralPath $Before -Force -ErrorAction SilentlyContinue
}
foreach ($line in $Done) {
    Write-Output $line
}
