// The functions ProclineConfigurationData and ProclineConfigurationChange: the inventory's tables with the columns of Azure's Change
// Tracking. machines.bicep deploys this into the resource group of the workspace.

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

// The name of each function, and its query.
var functions = [
  {
    name: 'ProclineConfigurationData'
    query: loadTextContent('function-configuration-data.kql')
  }
  {
    name: 'ProclineConfigurationChange'
    query: loadTextContent('function-configuration-change.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource searches 'Microsoft.OperationalInsights/workspaces/savedSearches@2025-07-01' = [
  for function in functions: {
    parent: workspace
    name: function.name
    // A second deployment replaces the function.
    etag: '*'
    properties: {
      category: 'procline'
      displayName: function.name
      functionAlias: function.name
      query: function.query
      version: 2
    }
  }
]
