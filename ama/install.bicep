// The procline package on existing machines: a run command on each downloads the package, compares its checksum, installs it
// and enables the timers. Deploy it once for each region, into any resource group.

@description('Resource ids of virtual machines, of instances of scale sets, or of machines in Azure Arc.')
param machineIds array

@description('Address of the package. Anyone who may read the machines in Azure can read it.')
param packageUrl string

@description('SHA-256 checksum of the package, in hexadecimal digits.')
@minLength(64)
@maxLength(64)
param packageSha256 string

@description('Region of the machines.')
param location string = resourceGroup().location

@description('When this was deployed. A run command that has not changed does not run again.')
param deployed string = utcNow()

var script = replace(
  replace(loadTextContent('install.sh'), 'PACKAGE_URL', packageUrl),
  'PACKAGE_SHA256',
  packageSha256
)

module machines 'run.bicep' = [
  for (id, index) in machineIds: {
    name: 'procline-install-${index}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      machineId: id
      script: script
      location: location
      deployed: deployed
    }
  }
]
